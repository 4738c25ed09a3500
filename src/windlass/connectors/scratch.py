"""The scratch database of a copy: an in-memory DuckDB through which rows are read, cast and checked.

Its memory is capped; what does not fit goes to a temporary folder, which is removed with it.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from windlass.connectors.rows import Column
from windlass.errors import Code, FatalError, RetryableError, WindlassError, extra
from windlass.temporary import TemporaryFolder
from windlass.turns import InUseError
from windlass.units import DEFAULT_MEMORY

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["Scratch", "as_arrow", "duckdb_errors", "file_literal", "identifier", "literal"]

_SETTINGS = "SET TimeZone = 'UTC'; SET enable_progress_bar = false"
_IN_USE = (
    "Conflicting lock",
    "Could not set lock",
    "Unique file handle conflict",  # a copy in another thread of this process
)
_NOT_IN_ARROW = (
    "HUGEINT",
    "UHUGEINT",
    "BIT",
    "TIME WITH TIME ZONE",
)  # doubles, bytes, and a time without its zone there
_COLUMN_AT_LEAST, _COLUMN = (
    50_000,
    250_000,
)  # bytes that a thread takes for a column: just to pass it on; to check it
_TYPES = "expected one such as bigint, numeric(12,2) or date"
_BATCH_ROWS = 20_000  # small enough that a batch of wide rows stays in the cache of a core


class Scratch:
    """A DuckDB session. Use as a context manager."""

    def __init__(
        self, memory: int = DEFAULT_MEMORY, folder: Path | None = None, threads: int | None = None
    ) -> None:
        with extra("reading and writing files", "files"):
            import duckdb
        self._temporary = TemporaryFolder(folder)
        self.folder = self._temporary.path
        config: dict[str, Any] = {
            "memory_limit": f"{memory // 10**6}MB",
            "temp_directory": str(self.folder / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        if threads is not None:
            config["threads"] = threads
        self.connection = duckdb.connect(config=config)
        self.connection.execute(_SETTINGS)
        self._memory, self._threads = memory, int(self.value("SELECT current_setting('threads')"))
        self._output: duckdb.DuckDBPyConnection | None = None
        self._stream_error: WindlassError | None = None
        self._names = 0
        self._attached: dict[Path, str] = {}
        self._at_exit: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def at_exit(self, call: Callable[[], None]) -> None:
        """What to do before the session is closed."""
        self._at_exit.append(call)

    def __exit__(self, *_: object) -> None:
        for call in self._at_exit:
            call()
        if self._output is not None:
            self._output.close()
        self.connection.close()
        self._temporary.remove()

    def make_room(self, name: str, columns: int, at_least: int = _COLUMN_AT_LEAST) -> None:
        """Have few threads for many columns: each makes room for 2,048 values of every one, at every step.

        `at_least` is what one thread takes for a column. Raises FatalError when there are more columns than fit into
        memory even so.
        """
        if columns * at_least > self._memory:
            most = self._memory // at_least
            message = f"{name} has {columns:,} columns, and there is memory for {most:,}"
            needed = -(-columns * max(_COLUMN, at_least) // 10**9)
            hint = f"give it more with --memory, such as --memory {needed}GB; or make rows of the columns"
            raise FatalError(message, hint=hint)
        threads = max(self._memory // (columns * _COLUMN), 1)
        if threads < self._threads:
            self._threads = threads
            self.rows(f"SET threads = {threads}")

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run SQL and return all its rows."""
        with duckdb_errors():
            return self.connection.execute(sql, parameters).fetchall()

    def output_rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The same on a second connection: for what takes in a stream that the first one gives.

        What goes wrong in that stream is raised as it is, and not as what DuckDB makes of it.
        """
        self._stream_error = None
        try:
            with duckdb_errors():
                return self._output_connection().execute(sql, parameters).fetchall()
        except WindlassError:
            if self._stream_error is not None:
                raise self._stream_error from None
            raise

    def attach(self, file: Path, *, writable: bool) -> str:
        """Attach a DuckDB file, once. Returns the name of its database here."""
        key = file.absolute()
        if key not in self._attached:
            self._attached[key] = self.new_name()
            mode = "" if writable else " (READ_ONLY)"
            self.rows(f"ATTACH {literal(str(key))} AS {self._attached[key]}{mode}")
        return self._attached[key]

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The one value that SQL returns."""
        return self.rows(sql, parameters)[0][0]

    def stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Run a SELECT and yield its rows as Arrow record batches, in order, as they are made."""
        with duckdb_errors():
            reader = self.connection.sql(sql).to_arrow_reader(_BATCH_ROWS)
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                except OSError as exc:  # Arrow's name for whatever goes wrong in what it is handed
                    raise _translated(exc) from exc
                if batch.num_rows:
                    yield batch

    def describe(self, sql: str) -> list[Column]:
        """The columns that a SELECT would return."""
        with duckdb_errors():
            return [Column(r[0], r[1]) for r in self.connection.execute(f"DESCRIBE {sql}").fetchall()]

    def normal_type(self, text: str) -> str:
        """What DuckDB calls a type that somebody wrote, such as `numeric(12, 2)` or `timestamptz`."""
        if not re.fullmatch(
            r"[A-Za-z][\w ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?( with(out)? time zone)?(\[\])*", text, re.IGNORECASE
        ):
            raise FatalError(f"{text!r} is not a type", hint=_TYPES)
        if re.match(r"(bit|bit varying|varbit)\s*\(", text.strip(), re.IGNORECASE):
            raise FatalError(f"{text!r}: a length of bits is not kept", hint="write bit, without a length")
        name = {"jsonb": "JSON"}.get(text.strip().lower(), text)
        try:
            return str(self.value(f"SELECT typeof(CAST(NULL AS {name}))"))
        except WindlassError as exc:
            raise FatalError(f"unknown type {text!r}", hint=_TYPES) from exc

    def register(self, reader: pa.RecordBatchReader) -> str:
        """Make an Arrow stream readable, once, under the name that is returned."""
        name = self.new_name()
        self.connection.register(name, reader)
        return name

    def register_table(self, table: pa.Table) -> str:
        """Make an Arrow table readable, under the name that is returned."""
        name = self.new_name()
        self.connection.register(name, table)
        return name

    def schema(self, columns: Sequence[Column]) -> pa.Schema:
        """What batches of these columns have as their schema."""
        empty = ", ".join(
            f"{as_arrow(c.type, f'CAST(NULL AS {c.type})')} AS {identifier(c.name)}" for c in columns
        )
        return self.connection.sql(f"SELECT {empty} LIMIT 0").to_arrow_table().schema

    def reader(self, batches: Iterator[pa.RecordBatch], columns: Sequence[Column]) -> str:
        """A SELECT for `output_rows` that reads these batches, once."""
        import pyarrow as pa

        schema, name = self.schema(columns), self.new_name()
        self._output_connection().register(
            name, pa.RecordBatchReader.from_batches(schema, self._noting_errors(batches))
        )
        # Arrow has no JSON and no UUID: text gets its type back here, and so does that of `as_arrow`
        values = ", ".join(f"CAST({identifier(c.name)} AS {c.type}) AS {identifier(c.name)}" for c in columns)
        return f"SELECT {values} FROM {name}"

    def _noting_errors(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except WindlassError as exc:
            self._stream_error = exc
            raise

    def _output_connection(self) -> duckdb.DuckDBPyConnection:
        if self._output is None:
            self._output = self.connection.cursor()
            self._output.execute(_SETTINGS)
        return self._output

    def new_name(self) -> str:
        """A name that nothing in this database has yet."""
        self._names += 1
        return f"_scratch_{self._names}"


def as_arrow(kind: str, value: str) -> str:
    """SQL for a value of a type as it goes through Arrow: as text where that would make another value of it."""
    return f"CAST({value} AS VARCHAR)" if kind in _NOT_IN_ARROW else value


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A value as an SQL literal, for DuckDB, Postgres and SQLite alike."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def file_literal(path: Path | str) -> str:
    """The name of a file as an SQL literal for DuckDB's readers, which take a name for a pattern."""
    return literal(glob.escape(str(path)))


@contextmanager
def duckdb_errors() -> Iterator[None]:
    """Turn DuckDB's exceptions into ours."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as exc:
        hint = "give it more with --memory, such as --memory 2GB"
        raise FatalError(f"out of memory: {_message(exc)}", hint=hint) from exc
    except duckdb.Error as exc:
        raise _translated(exc) from exc


def _translated(exc: duckdb.Error | OSError) -> WindlassError:
    import duckdb

    text, message = str(exc), _message(exc)
    if "No space left" in text or "not enough space" in text.lower():
        hint = "free some space and try again"
        return RetryableError(f"no space left on the disk: {message}", hint=hint, code=Code.DISK_FULL)
    if any(sign in text for sign in _IN_USE):
        return InUseError(f"the DuckDB file is in use by another process: {message}")
    if "Could not convert Timestamp(" in text:  # from seconds or milliseconds, which reach further
        what = "a time of the source is after the year 294246, which microseconds do not reach"
        return FatalError(what, hint="leave the column out with `select`, or write it as text or a number")
    if isinstance(exc, duckdb.TransactionException):  # what another transaction has done meanwhile
        return RetryableError(message)
    return FatalError(message)


def _message(exc: duckdb.Error | OSError) -> str:
    """The first line, without another error as JSON at its end: that is what has to be said, and not around it."""
    line = str(exc).strip().split("\n", 1)[0]
    before, found, rest = line.partition('{"exception_type":')
    try:
        inner = json.loads(found + rest)["exception_message"] if found else None
    except (ValueError, KeyError):
        inner = None
    return f"{before.partition(':')[0]}: {inner}" if inner else line

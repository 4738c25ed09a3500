"""SQLite as the source of a copy.

Every value of SQLite has a type of its own, whatever its column says. So the types that really occur
are looked at first: a column is read as what all its values are, else as text that is then cast to the
declared type, and a value that does not fit makes its row a bad one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass.connectors.cursors import find_new, required_cursor
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.not_utf8 import NOT_UTF8, not_utf8_faults
from windlass.connectors.options import TableSource, name_of
from windlass.connectors.relations import StreamRelation
from windlass.connectors.rows import Column, RowFault
from windlass.connectors.scratch import Scratch, identifier
from windlass.connectors.source import BaseSource, IntervalOf, Reading, Relation, Since
from windlass.connectors.sqlite.connector import CONNECTOR
from windlass.connectors.sqlite.cursor import SqliteCursor
from windlass.connectors.sqlite.database import (
    connect_file,
    sqlite_errors,
    table_columns,
    tables,
)
from windlass.connectors.sqlite.engine import SqliteEngine
from windlass.connectors.sqlite.types import declared_type
from windlass.errors import Code, FatalError, WindlassError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SqliteSource"]

_BATCH = 20_000
_UNREADABLE = "Could not decode to UTF-8"
_ESCAPED = re.compile("[\udc80-\udcff]")  # a byte that is not part of a character
_AS_STORED: dict[tuple[str, ...], str] = {
    ("integer",): "BIGINT",
    ("real",): "DOUBLE",
    ("text",): "VARCHAR",
    ("blob",): "BLOB",
}


class SqliteSource(BaseSource):
    """A table or query. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        self.name, table = name_of(end), end.options.table
        self.options, self._file = end.options, Path(end.address.database)
        if not self._file.is_file():
            hint = f"see {end.address.origin}"
            raise FatalError(f"there is no SQLite file {self._file}", hint=hint, code=Code.NO_FILE)
        self.connection = connect_file(end.address)
        with sqlite_errors(self.connection):
            if table is not None and not table_columns(self.connection, table):
                hint = did_you_mean(table, tables(self.connection)) or "the database has no tables"
                raise FatalError(f"{self.name}: there is no table {table!r}", hint=hint, code=Code.NO_TABLE)
            self.connection.execute("BEGIN")  # one snapshot for all that follows

    def close(self) -> None:
        self.connection.close()

    def occupied(self) -> Iterable[str]:
        return (str(self._file.resolve()),)

    def fingerprint(self) -> dict[str, object]:
        return {
            "type": CONNECTOR.type,
            "file": str(self._file.absolute()),
            "table": self.options.table,
            "query": self.options.query,
        }

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return SqliteRelation(self, reading, scratch)


class SqliteRelation(StreamRelation):
    """The rows of one reading."""

    has_interval = has_since = True

    def __init__(self, source: SqliteSource, reading: Reading, scratch: Scratch) -> None:
        super().__init__(source.name, scratch)
        self._options, self._connection = source.options, source.connection
        self._conditions: list[str] = []
        self._doubts_text = False
        if reading.interval is not None:
            self._conditions.append(self._within(reading.interval))
        if reading.since is not None:
            self._advance(reading.since)
        self._columns = [self._column(name, stored) for name, stored in self._stored_types().items()]

    def columns(self) -> list[Column]:
        return self._columns

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow as pa

        fields = [(column.name, _ARROW[column.type]()) for column in self._columns]
        if self._doubts_text:
            self._connection.text_factory = _readable
            fields.append((NOT_UTF8, pa.int32()))
        schema = pa.schema(fields)
        return schema, self._batches(schema)

    def faults(self) -> Sequence[RowFault]:
        if not self._doubts_text:
            return ()
        return not_utf8_faults(self._columns)

    def recover(self, error: WindlassError) -> Relation | None:
        """SQLite keeps any bytes as text: where some are not, each value is looked at."""
        if self._doubts_text or _UNREADABLE not in (self._failure or error).message:
            return super().recover(error)
        self._doubts_text, self._failure = True, None
        return self

    # --- what is read ---

    def _within(self, wanted: IntervalOf) -> str:
        engine = SqliteEngine(self._connection)
        moment = engine.moment(identifier(self._require(wanted.column)))
        start, end = map(engine.bound, wanted.interval)
        return f"{moment} >= {start} AND {moment} < {end}"

    def _advance(self, since: Since) -> None:
        # SQLite has one writer at a time, so whatever is visible is settled
        cursor, names = self._require(required_cursor(since, self.name)), self._names()
        sql = SqliteCursor(self._connection, self._from(), names, cursor, self.name)
        condition, self.mark = find_new(sql, self._from(), since, self.name)
        if condition is not None:
            self._conditions.append(condition)

    def _from(self) -> str:
        if self._options.table is not None:
            base = identifier(self._options.table)
        else:
            base = f"({str(self._options.query).rstrip().rstrip(';')}\n)"
        where = " AND ".join(self._conditions)
        return f"(SELECT * FROM {base} WHERE {where})" if where else base

    def _names(self) -> list[str]:
        with sqlite_errors(self._connection):
            cursor = self._connection.execute(f"SELECT * FROM {self._from()} LIMIT 0")
        return [column[0] for column in cursor.description]

    def _require(self, column: str) -> str:
        if column not in self._names():
            hint = did_you_mean(column, self._names())
            raise FatalError(f"{self.name} has no column {column!r}", hint=hint, code=Code.NO_COLUMN)
        return column

    def _stored_types(self) -> dict[str, tuple[str, ...]]:
        """The storage classes that the values of each column have, NULL left out."""
        names = self._names()
        kinds = ", ".join(
            f"group_concat(DISTINCT nullif(typeof({identifier(name)}), 'null'))" for name in names
        )
        with sqlite_errors(self._connection):
            row = self._connection.execute(f"SELECT {kinds} FROM {self._from()}").fetchone()
        return {name: tuple(sorted((found or "").split(","))) for name, found in zip(names, row, strict=True)}

    def _column(self, name: str, stored: tuple[str, ...]) -> Column:
        declared = self._declared().get(name, "VARCHAR")
        kind = _AS_STORED.get(stored, "VARCHAR")
        if kind == declared or (declared == "VARCHAR" and kind != "VARCHAR"):
            return Column(name, kind)
        if kind == "BIGINT" and declared == "BOOLEAN":
            return (
                Column(name, "BOOLEAN")
                if self._only_0_and_1(name)
                else Column(name, kind, guess=declared, trust="declared")
            )
        if kind in ("BIGINT", "DOUBLE", "BLOB"):
            return Column(name, kind, guess=None if kind == "BLOB" else declared, trust="declared")
        return Column(name, "VARCHAR", guess=None if declared == "VARCHAR" else declared, trust="declared")

    def _only_0_and_1(self, name: str) -> bool:
        other = f"SELECT 1 FROM {self._from()} WHERE {identifier(name)} NOT IN (0, 1) LIMIT 1"
        with sqlite_errors(self._connection):
            return self._connection.execute(other).fetchone() is None

    def _declared(self) -> dict[str, str]:
        if self._options.table is None:
            return {}
        rows = table_columns(self._connection, self._options.table)
        return {row["name"]: declared_type(row["type"]) for row in rows}

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        with sqlite_errors(self._connection):
            cursor = self._connection.execute(f"SELECT * FROM {self._from()}")
            while rows := cursor.fetchmany(_BATCH):
                if self._doubts_text:
                    rows = [_marked(row) for row in rows]
                columns = zip(*rows, strict=True)
                arrays = [
                    pa.array(_converted(values, field.type), field.type)
                    for field, values in zip(schema, columns, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _readable(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _marked(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row, with the number of its first column that is not UTF-8 behind it, and its bytes written out."""
    wrong = [i for i, value in enumerate(row) if isinstance(value, str) and _ESCAPED.search(value)]
    if not wrong:
        return (*row, None)
    shown = [_written_out(value) if i in wrong else value for i, value in enumerate(row)]
    return (*shown, wrong[0])


def _written_out(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _converted(values: Sequence[Any], kind: pa.DataType) -> Sequence[Any]:
    import pyarrow as pa

    if pa.types.is_string(kind):
        return [_text(value) for value in values]
    if pa.types.is_boolean(kind):
        return [None if value is None else bool(value) for value in values]
    return values


def _text(value: Any) -> str | None:
    """A value as text that says exactly the same."""
    if value is None or isinstance(value, str):
        return value
    return "\\x" + value.hex() if isinstance(value, bytes) else repr(value)


def _arrow(name: str) -> Any:
    import pyarrow as pa

    return pa.type_for_alias(name)


_ARROW = {
    "BOOLEAN": lambda: _arrow("bool"),
    "BIGINT": lambda: _arrow("int64"),
    "DOUBLE": lambda: _arrow("float64"),
    "VARCHAR": lambda: _arrow("string"),
    "BLOB": lambda: _arrow("binary"),
}

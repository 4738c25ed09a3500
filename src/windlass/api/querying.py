"""A look at rows: those of a table, a file, or a query, which only reads.

A query is a copy to a temporary file, so every source that a copy reads can be asked, and values are what a copy would
bring. The rows of files are first copied to a table of a DuckDB file, where SQL finds them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from windlass import registry
from windlass.api.arguments import memory_text
from windlass.api.connections import NearConnections
from windlass.api.copy_ends import named_in, path_of, source_of
from windlass.api.results import QueryResult
from windlass.connections import Address, parse_address
from windlass.connectors.scratch import Scratch, file_literal
from windlass.engine import Identity, Job, Workspace
from windlass.errors import FatalError, UsageError
from windlass.files import write_file
from windlass.plan.model import Copy, Destination, Source
from windlass.temporary import TemporaryFolder
from windlass.units import DEFAULT_MEMORY, parse_size
from windlass.workspace import scheme_of

__all__ = ["Rows", "asked", "change", "query"]

_CHANGES = re.compile(
    r"\s*(insert|update|delete|merge|create|alter|drop|truncate|grant|revoke|copy|call|vacuum)\b",
    re.IGNORECASE,
)


def query(
    source: str | Path,
    sql: str | None = None,
    *,
    limit: int | None = None,
    from_format: str | None = None,
    memory: str | int | None = None,
    folder: str | Path = ".",
) -> QueryResult:
    """Read rows. Nothing is changed, whatever the SQL says.

    :param source: a connection of the project, a table of one (`warehouse:trips`), the address of a database, or a path
        or pattern of files.
    :param sql: one SELECT. A file is a table with its name, without the ending; standard input is `rows`. Without it,
        the rows of the table or file, or the tables of the connection.
    :param limit: at most so many rows.
    :param from_format: the format of a file. Default: by its name.
    :param memory: what the query may use, such as `2GB`. Default: 512 MB.
    :param folder: where relative paths begin; a connection is one of the project that it is in.
    :raises WindlassError: UsageError for arguments that make no sense, FatalError where trying again cannot help,
        RetryableError where it may.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"`limit` {limit}: expected a number from 0 up")
    one_more = None if limit is None else limit + 1
    with asked(str(source), sql, one_more, from_format, memory_text(memory), Path(folder)) as rows:
        return rows.result(limit)


@dataclass(frozen=True)
class Rows:
    """What a query returned, in a file of a temporary folder."""

    job: Job
    folder: Path

    def result(self, limit: int | None = None, *, as_text: bool = False) -> QueryResult:
        """The rows, at most `limit` of them; `as_text` has each value as DuckDB writes it."""
        file = self.written_as("parquet")
        with Scratch(self.job.memory, self.folder) as scratch:
            rows = f"FROM read_parquet({file_literal(file)})"
            columns = scratch.describe(rows)
            found = scratch.rows(f"SELECT {'CAST(COLUMNS(*) AS VARCHAR)' if as_text else '*'} {rows}")
        return QueryResult(
            columns=tuple(column.name for column in columns),
            types=tuple(column.type for column in columns),
            rows=tuple(found[:limit]),
            is_whole=limit is None or len(found) <= limit,
        )

    def written_as(self, kind: str) -> Path:
        """A file of that format with them."""
        from windlass.engine.copying import copy

        file = (
            self.folder / "rows" / f"rows.{kind}"
        )  # a load locks the folder of its file, and this one is held
        file.parent.mkdir(exist_ok=True)
        destination = Destination(options={"path": str(file), "format": kind})
        copy(replace(self.job, copy=Copy(source=self.job.copy.source, destination=destination)))
        return file


@contextmanager
def asked(
    source: str,
    sql: str | None,
    limit: int | None,
    from_format: str | None,
    memory: str | None,
    folder: Path,
) -> Iterator[Rows]:
    """The rows of a query. They are read when somebody asks for them."""
    if sql is not None and (word := _CHANGES.match(sql)) is not None:
        raise UsageError(
            f"a query only reads, and {word[1]} changes something",
            hint="on the command line, `write` lets it",
        )
    home = folder.resolve()
    with NearConnections(home) as near, TemporaryFolder() as temporary:
        job = Job(
            copy=Copy(source=Source(), destination=Destination()),
            identity=_identity(),
            workspace=Workspace(home, home),
            memory=parse_size(memory) if memory is not None else DEFAULT_MEMORY,
            scratch_folder=temporary,
        )
        end, address = _asked_for(source, sql, from_format, near, job)
        yield Rows(_reading(job, end, address, limit), temporary)


def change(source: str, sql: str, folder: Path) -> int | None:
    """Run SQL that may change rows, in one transaction. Returns how many it changed, where the database tells."""
    with NearConnections(folder.resolve()) as near, closing(_database(source, near)) as database:
        changed: int | None = database.execute(sql).changed
        return changed


def _asked_for(
    text: str, sql: str | None, from_format: str | None, near: NearConnections, job: Job
) -> tuple[Source, Address | None]:
    """The end that the rows are read from."""
    if (file := _file_in(text, near)) is not None:
        of_files = {"format": from_format} if from_format is not None else {}
        end, address = source_of(text, of_files, near)
        return (end, address) if sql is None else _as_table(end, sql, job, _name_of(file))
    if sql is None:
        return _whole(text, near, job)
    address = _address(text, near)
    return Source(connection="source", type=address.type, options={"query": sql}), address


def _whole(text: str, near: NearConnections, job: Job) -> tuple[Source, Address | None]:
    """What an end is without SQL: the rows of its table; the names of the tables where it names none."""
    named = named_in(text, near)
    if (named is not None and named.rows) or (named is None and "?" in text):
        return source_of(text, {}, near)
    with closing(_database(text, near)) as database:
        tables = database.tables()
    return _tables(tables, job)


def _tables(names: list[str], job: Job) -> tuple[Source, None]:
    assert job.scratch_folder is not None
    file = job.scratch_folder / "tables.csv"
    lines = ['"' + name.replace('"', '""') + '"\n' for name in names]
    write_file(file, "".join(["table\n", *lines]))
    return Source(options={"path": str(file), "columns": {"table": "text"}}), None


def _as_table(end: Source, sql: str, job: Job, name: str) -> tuple[Source, Address]:
    """SQL over the rows of files, which are copied to a table of a temporary DuckDB file."""
    from windlass.engine.copying import copy

    assert job.scratch_folder is not None
    database = _own_folder(job.scratch_folder) / "files.duckdb"
    address = Address(registry.SCRATCH, database=str(database), origin="a temporary file")
    table = Destination(connection="files", type=registry.SCRATCH, options={"table": name})
    copy(replace(job, copy=Copy(source=end, destination=table), addresses={"files": address}))
    return Source(connection="source", type=registry.SCRATCH, options={"query": sql}), address


def _own_folder(temporary: Path) -> Path:
    """Where a load may write: it locks the folder of its file, and the temporary one is held already."""
    folder = temporary / "written"
    folder.mkdir(exist_ok=True)
    return folder


def _reading(job: Job, end: Source, address: Address | None, limit: int | None) -> Job:
    addresses = {} if address is None else {str(end.connection): address}
    return replace(
        job,
        copy=Copy(source=end, destination=Destination()),
        identity=_identity(),
        addresses=addresses,
        limit=limit,
    )


def _identity() -> Identity:
    run = f"query-{os.urandom(6).hex()}"
    return Identity("query", "query", run, run)


def _file_in(text: str, near: NearConnections) -> str | None:
    """The path in the text; None for a connection or an address."""
    return path_of(text, "/dev/stdin") if named_in(text, near) is None else None


def _name_of(file: str) -> str:
    """What a file is called in SQL: its name, without endings."""
    name = re.sub(r"\W", "_", Path(file).name.partition(".")[0])
    return "rows" if file == "/dev/stdin" or not name.strip("_") else name


def _address(text: str, near: NearConnections) -> Address:
    """The database that SQL is for. Raises UsageError for what has none."""
    named = named_in(text, near)
    if named is not None and named.rows:
        raise UsageError(
            f"{text} says which rows already", hint=f"with SQL, name the connection: {named.connection}"
        )
    if named is not None:
        return near.address(named.connection)
    if scheme_of(text) is None:
        raise UsageError(f"{text} is not a database")
    return parse_address(text, "the arguments of query")


def _database(text: str, near: NearConnections) -> Any:
    address = _address(text, near)
    connect = registry.require(address.type).sql
    if connect is None:
        raise FatalError(f"a connection of type {address.type} runs no SQL")
    return registry.load(connect)(address)

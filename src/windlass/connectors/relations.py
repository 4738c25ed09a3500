"""What makes a relation: of Arrow batches, as drivers give them; or of records whose types nobody has said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from windlass import registry
from windlass.connectors.cursors import Found, find_new, required_cursor
from windlass.connectors.duckdb_cursor import DuckdbCursor
from windlass.connectors.ends import End
from windlass.connectors.record_stream import pieces
from windlass.connectors.rows import BadRow, Column, RowFault
from windlass.connectors.scratch import Scratch, identifier
from windlass.connectors.source import Reading, Relation, Source
from windlass.errors import FatalError, WindlassError, as_error
from windlass.files import write_file
from windlass.options import Options, read_options
from windlass.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ArrowRelation",
    "NoRows",
    "StreamRelation",
    "csv_relation",
    "file_relation",
    "lines_relation",
    "only_new",
    "records_relation",
]


class StreamRelation(Relation):
    """Rows that come as Arrow record batches, once."""

    def __init__(self, name: str, scratch: Scratch) -> None:
        self.name, self._scratch = name, scratch
        self._failure: WindlassError | None = None

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema, and the batches as they come."""
        raise NotImplementedError

    def sql(self) -> str:
        import pyarrow as pa

        schema, batches = self.stream()
        return self._scratch.register(pa.RecordBatchReader.from_batches(schema, self._noting(batches)))

    def recover(self, error: WindlassError) -> Relation | None:
        if self._failure is not None and error is not self._failure:
            raise self._failure from error  # what the scratch database met was only its consequence
        return None

    def _noting(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except Exception as exc:
            self._failure = as_error(exc)
            raise


class ArrowRelation(StreamRelation):
    """Batches that a connector has, or makes as they are asked for; columns are as the schema says.

    What `reading` asks for is done: for an incremental copy all rows are kept in the scratch database first.
    """

    has_since = True

    def __init__(
        self,
        name: str,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        reading: Reading,
        scratch: Scratch,
    ) -> None:
        super().__init__(name, scratch)
        self._schema, self._batches, self._reading = schema, batches, reading
        self._kept: str | None = None

    def columns(self) -> list[Column]:
        columns = self._scratch.describe(f"FROM {self._scratch.register_table(self._schema.empty_table())}")
        if self._reading.since is not None and self._kept is None:
            table = self._scratch.new_name()
            self._scratch.rows(f"CREATE TABLE {table} AS SELECT * FROM {super().sql()}")
            condition, self.mark = only_new(self.name, table, columns, self._reading, self._scratch)
            self._kept, self.rereadable = f"(SELECT * FROM {table} WHERE {condition or 'true'})", True
        return columns

    def sql(self) -> str:
        self.columns()
        return self._kept or super().sql()

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        return self._schema, iter(self._batches)


def only_new(name: str, rows: str, columns: Sequence[Column], reading: Reading, scratch: Scratch) -> Found:
    """What `reading` asks for of rows that the scratch database can read again, by a cursor.

    Raises FatalError when there is no such column, or it cannot tell.
    """
    since = reading.since
    if since is None:
        return Found(None, None)
    cursor = required_cursor(since, name)
    return find_new(DuckdbCursor(scratch, rows, columns, cursor, name), rows, since, name)


def records_relation(
    name: str,
    records: Iterable[bytes],
    reading: Reading,
    scratch: Scratch,
    place_of: Callable[[int], str] | None = None,
    names: Sequence[str] = (),
) -> Relation:
    """Records, each the text of a JSON object, as a relation: columns and types are found in them, and numbers
    stay exact. `place_of` tells where the record of a number came from, `names` which columns there are if there is no
    record. What `reading` asks for is done.

    Raises FatalError when there are none and nothing says which columns there would be.
    """
    file = scratch.folder / f"{scratch.new_name()}.ndjson"
    for _ in pieces(records, file):
        continue
    return lines_relation(name, file, reading, scratch, place_of, names)


def lines_relation(
    name: str,
    file: Path,
    reading: Reading,
    scratch: Scratch,
    place_of: Callable[[int], str] | None = None,
    names: Sequence[str] = (),
) -> Relation:
    """The same of records that are the lines of a file."""
    if file.stat().st_size == 0:
        return NoRows(name, reading, scratch, names)
    relation = file_relation({"path": str(file), "format": "ndjson"}, reading, scratch)
    relation.name = name
    return _Named(name, relation, place_of or (lambda _: name))


def csv_relation(
    name: str, pages: Iterable[tuple[str, bytes]], csv: Options, reading: Reading, scratch: Scratch
) -> Relation:
    """Texts of CSV, each with its own header and what it is called, as one relation: that of files of them."""
    folder = scratch.folder / scratch.new_name()
    folder.mkdir()
    called: list[str] = []
    for page, text in pages:
        write_file(folder / f"{len(called):06}.csv", text)
        called.append(page)
    if not called:
        return NoRows(name, reading, scratch)
    written = {"path": f"{folder}/*.csv", "format": "csv", "csv": msgspec.to_builtins(csv)}
    return _Files(name, file_relation(written, reading, scratch), called)


def file_relation(written: dict[str, Any], reading: Reading, scratch: Scratch) -> Relation:
    """The relation that the connector of files makes of what a pipeline would say of them."""
    connector = registry.require(registry.FILES)
    options = read_options(registry.load(str(connector.options)).Source, written)
    end = End(options=options, workspace=Workspace(scratch.folder, scratch.folder))
    source: Source = registry.load(str(connector.source))(end)
    return source.open(reading, scratch)


class _Named(Relation):
    """The relation of a file that stands for something else: errors speak of that."""

    rereadable = has_since = True

    def __init__(self, name: str, inner: Relation, place_of: Callable[[int], str]) -> None:
        self.name, self._inner, self._place_of = name, inner, place_of

    def columns(self) -> list[Column]:
        columns = self._inner.columns()
        self.mark = self._inner.mark
        return columns

    def sql(self) -> str:
        return self._inner.sql()

    def faults(self) -> Sequence[RowFault]:
        return self._inner.faults()

    def record(self) -> str | None:
        return self._inner.record()

    def rejected(self) -> list[BadRow]:
        return self._inner.rejected()

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        for row in rows:
            row.source = self.name if row.ordinal is None else self._place_of(row.ordinal)
            yield row

    def recover(self, error: WindlassError) -> Relation | None:
        found = self._inner.recover(error)
        return None if found is None else _Named(self.name, found, self._place_of)


class _Files(_Named):
    """The relation of files that stand for pages, each named by its own; errors speak of those."""

    def __init__(self, name: str, inner: Relation, pages: Sequence[str]) -> None:
        super().__init__(name, inner, lambda _: name)
        self.rereadable, self._pages = inner.rereadable, pages

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        for row in self._inner.locate(rows):
            stem = Path(row.source or "").stem
            page = self._pages[int(stem)] if stem.isdecimal() else ""
            row.source = f"{self.name}: {page}" if page else self.name
            yield row

    def recover(self, error: WindlassError) -> Relation | None:
        found = self._inner.recover(error)
        return None if found is None else _Files(self.name, found, self._pages)


class NoRows(Relation):
    """No records: the columns are those that the source or `select` names, else those of the destination; without either
    there is nothing to load into."""

    rereadable = has_since = True

    def __init__(self, name: str, reading: Reading, scratch: Scratch, names: Sequence[str] = ()) -> None:
        if reading.target is None and not names:
            hint = "make the table first, or begin at a time when there are some"
            raise FatalError(f"{name} has no records, and so no columns for a new destination", hint=hint)
        known = [column for column in reading.target or () if not column.generated]
        types = {column.name: column.type for column in known}
        columns = names or sorted(reading.named or ()) or types
        self.name, self._columns = name, [Column(column, types.get(column, "VARCHAR")) for column in columns]
        self.mark = reading.since.last if reading.since else None

    def columns(self) -> list[Column]:
        return self._columns

    def sql(self) -> str:
        values = ", ".join(f"CAST(NULL AS {c.type}) AS {identifier(c.name)}" for c in self._columns)
        return f"(SELECT {values} WHERE false)"

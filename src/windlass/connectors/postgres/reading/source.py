"""Postgres as the source of a copy: a table or a query, read in one snapshot."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from windlass import logs
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource, name_of
from windlass.connectors.postgres.catalog import (
    PgColumn,
    Table,
    columns_of_query,
    require_table,
    without_semicolon,
)
from windlass.connectors.postgres.connector import CONNECTOR
from windlass.connectors.postgres.reading.parts import condition, split
from windlass.connectors.postgres.reading.watermark import watermark
from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.types import as_read, read_field
from windlass.connectors.relations import StreamRelation
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.connectors.source import BaseSource, IntervalOf, Part, Reading, Relation
from windlass.errors import Code, FatalError, WindlassError, did_you_mean
from windlass.plan.model import Partition

if TYPE_CHECKING:
    import pyarrow as pa

    from windlass.connectors.postgres.wire.decode import Field

__all__ = ["PostgresSource", "Selected"]

_GATHERED = 4 << 20  # bytes that are decoded at once
_WAITING = 4  # how many of those may wait for the reader of the rows


class PostgresSource(BaseSource):
    """A table or query. Implements `Source` and `Splittable`."""

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        self.options = end.options
        self.name = name_of(end)
        self.session = Session(end.address)

    def close(self) -> None:
        self.session.close()

    @cached_property
    def columns(self) -> tuple[PgColumn, ...]:
        """The columns as Postgres knows them."""
        return self.table.columns if self.table else columns_of_query(self.session, str(self.options.query))

    @cached_property
    def table(self) -> Table | None:
        return require_table(self.session, self.options.table, self.name) if self.options.table else None

    def column(self, name: str) -> PgColumn:
        """The column of that name. Raises FatalError with near names."""
        for column in self.columns:
            if column.name == name:
                return column
        hint = did_you_mean(name, [column.name for column in self.columns])
        raise FatalError(f"{self.name} has no column {name!r}", hint=hint, code=Code.NO_COLUMN)

    def fingerprint(self) -> dict[str, object]:
        address = self.session.address
        return {
            "type": CONNECTOR.type,
            "server": f"{address.host}:{address.port}/{address.database}",
            "table": self.options.table,
            "query": self.options.query,
        }

    def split(self, by: str, parts: int) -> list[Part]:
        partition = Partition(by=by, parts=parts)
        return split(self.session, Selected(self, Reading()).from_clause, self.columns, partition)

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return PostgresRelation(Selected(self, reading), scratch)


class Selected:
    """The rows of a source that one reading is about: what the relation reads, and the relay copies out."""

    def __init__(self, source: PostgresSource, reading: Reading) -> None:
        self.source, self.session = source, source.session
        self.cursor: str | None = None
        self._conditions: list[str] = []
        self._snapshot = False
        if reading.part is not None:
            self._conditions.append(condition(source.columns, reading.part))
        if reading.interval is not None:
            self._conditions.append(self._within(reading.interval))
        if reading.cursor is not None:
            self._advance(reading.cursor, reading.after)

    @property
    def from_clause(self) -> str:
        """What to write after FROM."""
        table = self.source.table
        query = str(self.source.options.query)
        base = table.sql if table else f"({without_semicolon(query)}\n) AS windlass_query"
        where = " AND ".join(self._conditions)
        return f"(SELECT * FROM {base} WHERE {where}) AS windlass_part" if where else base

    def begin_snapshot(self) -> None:
        """From here on everything is read as it is now. Idempotent."""
        if not self._snapshot:
            self.session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._snapshot = True

    def _within(self, wanted: IntervalOf) -> str:
        name = identifier(self.source.column(wanted.column).name)
        start, end = (literal(moment.isoformat()) for moment in wanted.interval)
        return f"{name} >= {start}::timestamptz AND {name} < {end}::timestamptz"

    def _advance(self, cursor: str, last: str | None) -> None:
        """Only what is past `last`, and never past what an open transaction may still commit."""
        self.cursor = last
        column, table = self.source.column(cursor), self.source.table
        until = watermark(self.session, self.from_clause, column, table.sql if table else None)
        name, kind = identifier(column.name), column.type
        if until is None or until == last:
            self._conditions.append("false")
            return
        self.cursor = until
        self._conditions.append(f"{name} <= {literal(until)}::{kind}")
        if last is not None:
            self._conditions.append(f"{name} > {literal(last)}::{kind}")
        logs.info("incremental", cursor=cursor, after=last, until=until)


class PostgresRelation(StreamRelation):
    """Rows that come out of a binary COPY, decoded to Arrow."""

    has_interval = True

    def __init__(self, selected: Selected, scratch: Scratch) -> None:
        super().__init__(selected.source.name, scratch)
        self._selected, self.cursor = selected, selected.cursor
        self._lost: WindlassError | None = None

    def columns(self) -> list[Column]:
        return [as_read(column) for column in self._selected.source.columns]

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        batches = self._batches([read_field(column) for column in self._selected.source.columns])
        first = next(batches)
        return first.schema, _chain(first, batches)

    def _batches(self, fields: list[Field]) -> Iterator[pa.RecordBatch]:
        """Read in the background; decode here, in the thread of whoever asks for the next batch.

        The first batch may be empty: it tells the schema.
        """
        from windlass.connectors.postgres.wire.decode import decode, empty_batch, framed_query

        self._selected.begin_snapshot()
        gathered: queue.Queue[list[bytes] | None] = queue.Queue(_WAITING)
        sql = framed_query(fields, self._selected.from_clause)
        thread = threading.Thread(target=self._read, args=(sql, gathered), daemon=True)
        thread.start()
        yield empty_batch(fields)
        while (chunks := gathered.get()) is not None:
            batch = decode(chunks, fields)
            if batch is not None:
                yield batch
        thread.join()
        if self._lost is not None:
            raise self._lost

    def _read(self, sql: str, gathered: queue.Queue[list[bytes] | None]) -> None:
        try:
            self._selected.session.run(self._copy_out(sql, gathered))
        except WindlassError as exc:
            self._lost = exc
        finally:
            gathered.put(None)

    async def _copy_out(self, sql: str, gathered: queue.Queue[list[bytes] | None]) -> None:
        import asyncio

        session = self._selected.session
        pending: list[bytes] = []
        size = 0

        async def take(chunk: bytes) -> None:
            nonlocal pending, size
            pending.append(chunk)
            size += len(chunk)
            if size >= _GATHERED:
                full, pending, size = pending, [], 0
                with session.at_work():
                    await asyncio.to_thread(gathered.put, full)

        await session.connection.copy_from_query(sql, output=take, format="binary")
        await asyncio.to_thread(gathered.put, pending)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest

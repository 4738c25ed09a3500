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
from windlass.connectors.postgres.parts import condition, split
from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.settled import settled_until
from windlass.connectors.postgres.types import as_read, read_field
from windlass.connectors.protocol import Column, Interval, Part
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.connectors.typed import TypedSource
from windlass.errors import FatalError, WindlassError, did_you_mean
from windlass.plan.model import Partition

if TYPE_CHECKING:
    import pyarrow as pa

    from windlass.connectors.postgres.decode import Field

__all__ = ["PostgresSource"]

_GATHERED = 4 << 20  # bytes that are decoded at once
_WAITING = 4  # how many of those may wait for the reader of the rows


class PostgresSource(TypedSource):
    """A table or query. Implements `Source` and `Splittable`; the relay also uses `pg_columns` and `from_clause`."""

    rereadable = False
    filters_interval = True

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        self.options = end.options
        self.name = name_of(end)
        self.session = Session(end.address)
        self.cursor: str | None = None
        self.failure: WindlassError | None = None
        self._conditions: list[str] = []
        self._snapshot = False

    def close(self) -> None:
        self.session.close()

    @cached_property
    def pg_columns(self) -> tuple[PgColumn, ...]:
        """The columns as Postgres knows them."""
        return self.table.columns if self.table else columns_of_query(self.session, str(self.options.query))

    @cached_property
    def table(self) -> Table | None:
        return require_table(self.session, self.options.table, self.name) if self.options.table else None

    @property
    def from_clause(self) -> str:
        """What to write after FROM: the table or query, restricted to what this load is about."""
        base = (
            self.table.sql
            if self.table
            else f"({without_semicolon(str(self.options.query))}\n) AS windlass_query"
        )
        where = " AND ".join(self._conditions)
        return f"(SELECT * FROM {base} WHERE {where}) AS windlass_part" if where else base

    def begin_snapshot(self) -> None:
        """From here on everything is read as it is now. Idempotent."""
        if not self._snapshot:
            self.session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._snapshot = True

    # --- Source ---

    def fingerprint(self) -> dict[str, object]:
        address = self.session.address
        return {
            "type": "postgres",
            "server": f"{address.host}:{address.port}/{address.database}",
            "table": self.options.table,
            "query": self.options.query,
        }

    def advance(self, cursor: str, last: str | None, scratch: Scratch | None) -> None:
        self.cursor = last
        column = self._column(cursor)
        table = self.table.sql if self.table else None
        until = settled_until(self.session, self.from_clause, column, table)
        name, kind = identifier(column.name), column.type
        if until is None or until == last:
            self._conditions.append("false")
            return
        self.cursor = until
        self._conditions.append(f"{name} <= {literal(until)}::{kind}")
        if last is not None:
            self._conditions.append(f"{name} > {literal(last)}::{kind}")
        logs.info("incremental", cursor=cursor, after=last, until=until)

    def slice(self, column: str, interval: Interval) -> None:
        name = identifier(self._column(column).name)
        start, end = (literal(moment.isoformat()) for moment in interval)
        self._conditions.append(f"{name} >= {start}::timestamptz AND {name} < {end}::timestamptz")

    def split(self, by: str, parts: int) -> list[Part]:
        partition = Partition(by=by, parts=parts)
        return split(self.session, self.from_clause, self.pg_columns, partition)

    def take_part(self, part: Part) -> None:
        self._conditions.append(condition(self.pg_columns, part))

    def columns(self, scratch: Scratch, *, infer: bool) -> list[Column]:
        return [as_read(column) for column in self.pg_columns]

    def relation(self, scratch: Scratch) -> str:
        import pyarrow as pa

        fields = [read_field(column) for column in self.pg_columns]
        batches = self._batches(fields)
        first = next(batches)
        reader = pa.RecordBatchReader.from_batches(first.schema, _chain(first, batches))
        return scratch.register(reader)

    def recover(self, error: WindlassError, scratch: Scratch) -> bool:
        if self.failure is not None and error is not self.failure:
            raise self.failure from error  # what the scratch database met was only its consequence
        return False

    # --- reading ---

    def _column(self, name: str) -> PgColumn:
        for column in self.pg_columns:
            if column.name == name:
                return column
        hint = did_you_mean(name, [column.name for column in self.pg_columns])
        raise FatalError(f"{self.name} has no column {name!r}", hint=hint)

    def _batches(self, fields: list[Field]) -> Iterator[pa.RecordBatch]:
        """Read in the background; decode here, in the thread of whoever asks for the next batch.

        The first batch may be empty: it tells the schema.
        """
        from windlass.connectors.postgres.decode import decode, empty_batch, framed_query

        self.begin_snapshot()
        gathered: queue.Queue[list[bytes] | None] = queue.Queue(_WAITING)
        sql = framed_query(fields, self.from_clause)
        thread = threading.Thread(target=self._read, args=(sql, gathered), daemon=True)
        thread.start()
        yield empty_batch(fields)
        while (chunks := gathered.get()) is not None:
            batch = decode(chunks, fields)
            if batch is not None:
                yield batch
        thread.join()
        if self.failure is not None:
            raise self.failure

    def _read(self, sql: str, gathered: queue.Queue[list[bytes] | None]) -> None:
        try:
            self.session.run(self._copy_out(sql, gathered))
        except WindlassError as exc:
            self.failure = exc
        finally:
            gathered.put(None)

    async def _copy_out(self, sql: str, gathered: queue.Queue[list[bytes] | None]) -> None:
        import asyncio

        pending: list[bytes] = []
        size = 0

        async def take(chunk: bytes) -> None:
            nonlocal pending, size
            pending.append(chunk)
            size += len(chunk)
            if size >= _GATHERED:
                full, pending, size = pending, [], 0
                with self.session.at_work():
                    await asyncio.to_thread(gathered.put, full)

        await self.session.connection.copy_from_query(sql, output=take, format="binary")
        await asyncio.to_thread(gathered.put, pending)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest

"""Postgres as the source of a copy: a table or a query, read in one snapshot."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.not_utf8 import not_utf8_faults
from windlass.connectors.options import TableSource, name_of
from windlass.connectors.postgres.connector import CONNECTOR
from windlass.connectors.postgres.reading.any_bytes import as_bytes, with_text
from windlass.connectors.postgres.reading.cursor import ROWS
from windlass.connectors.postgres.reading.parts import split
from windlass.connectors.postgres.reading.selected import Selected
from windlass.connectors.postgres.reading.table_or_query import TableOrQuery
from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.types import as_read, read_field
from windlass.connectors.relations import StreamRelation
from windlass.connectors.rows import Column, RowFault
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Part, Reading, Relation
from windlass.connectors.sql.server_source import ServerSource
from windlass.errors import WindlassError
from windlass.plan.model import Partition

if TYPE_CHECKING:
    import pyarrow as pa

    from windlass.connectors.postgres.wire.decode import Field

__all__ = ["PostgresSource"]

_GATHERED = 4 << 20  # bytes that are decoded at once
_WAITING = 4  # how many of those may wait for the reader of the rows


class PostgresSource(TableOrQuery, ServerSource):
    """A table or query. Implements `Source` and `Splittable`."""

    type = CONNECTOR.type
    session: Session

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        super().__init__(name_of(end), Session(end.address), end.options)

    def split(self, by: str, parts: int) -> list[Part]:
        partition = Partition(by=by, parts=parts)
        return split(self.session, f"{self.sql} AS {ROWS}", self.columns, partition)

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        self.require_all(reading)
        return PostgresRelation(Selected(self, reading), scratch)


class PostgresRelation(StreamRelation):
    """Rows that come out of a binary COPY, decoded to Arrow."""

    has_interval = has_since = True

    def __init__(self, selected: Selected, scratch: Scratch) -> None:
        super().__init__(selected.source.name, scratch)
        self._selected, self.mark = selected, selected.mark
        self._lost: WindlassError | None = None
        self._doubts_text = selected.source.session.keeps_any_bytes

    def columns(self) -> list[Column]:
        return [as_read(column) for column in self._selected.source.columns]

    def faults(self) -> Sequence[RowFault]:
        return not_utf8_faults(self.columns()) if self._doubts_text else ()

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        fields = [read_field(column) for column in self._selected.source.columns]
        batches = self._in_doubt(fields) if self._doubts_text else self._batches(fields)
        first = next(batches)
        return first.schema, _chain(first, batches)

    def _in_doubt(self, fields: Sequence[Field]) -> Iterator[pa.RecordBatch]:
        texts = [i for i, field in enumerate(fields) if field.kind == "text"]
        read = [as_bytes(field) if i in texts else field for i, field in enumerate(fields)]
        return (with_text(batch, texts) for batch in self._batches(read))

    def _batches(self, fields: list[Field]) -> Iterator[pa.RecordBatch]:
        """Read in the background; decode here, in the thread of whoever asks for the next batch.

        The first batch may be empty: it tells the schema.
        """
        from windlass.connectors.postgres.wire.decode import decode, empty_batch, framed_query

        self._selected.begin_snapshot()
        gathered: queue.Queue[list[bytes] | None] = queue.Queue(_WAITING)
        sql = framed_query(fields, self._selected.rows)
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

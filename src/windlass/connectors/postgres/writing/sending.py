"""Batches on their way into the COPY of a load: some go straight into the table, others have to be asked about first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from windlass import failpoints
from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.postgres.wire.encode import ENCODERS, encode
from windlass.connectors.postgres.wire.framing import HEADER, TRAILER
from windlass.connectors.postgres.wire.jsonb import surely_kept
from windlass.connectors.postgres.writing.ahead import Ahead
from windlass.connectors.rows import Counts, Meter

if TYPE_CHECKING:
    import pyarrow as pa

    from windlass.connectors.postgres.writing.landing import Landing

__all__ = ["Sending", "SurelyKept"]


@dataclass
class Sending:
    """How the batches of one load are sent. `encoder` names that of a column, None for text."""

    landing: Landing
    encoder: Callable[[PgColumn], str | None]
    counts: Counts
    meter: Meter

    async def stream(self, ahead: Ahead[memoryview]) -> AsyncIterator[Any]:
        """A whole COPY: chunks that are made ahead, and what stands around them."""
        yield HEADER
        async for chunk in ahead.chunks():
            yield chunk
            failpoints.reach("mid-copy")
        yield TRAILER

    def chunks(self, batches: Iterator[pa.RecordBatch]) -> Callable[[], memoryview | None]:
        """Makes the next chunk of these batches; None is the end."""
        encoders = [ENCODERS[self._encoder(column)] for column in self.landing.columns]

        def next_chunk() -> memoryview | None:
            batch = next(batches, None)
            if batch is None:
                return None
            self.landing.note_highest(batch)
            data = encode(batch, encoders)
            self.meter(batch.num_rows, len(data))
            self.counts.bytes += len(data)
            return data

        return next_chunk

    def _encoder(self, column: PgColumn) -> str:
        name = self.encoder(column) or "text"
        return "text" if self.landing.staged and name == "jsonb" else name


class SurelyKept:
    """The batches up to the first one with a document that a `jsonb` column may not keep. That one begins the rest."""

    def __init__(self, batches: Iterator[pa.RecordBatch], columns: Sequence[PgColumn]) -> None:
        self.doubted: pa.RecordBatch | None = None
        self._batches = batches
        self._documents = [i for i, column in enumerate(columns) if column.base == "jsonb"]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            if not all(surely_kept(batch.column(i)) for i in self._documents):
                self.doubted = batch
                return
            yield batch

    def rest(self) -> Iterator[pa.RecordBatch]:
        """What is left, once these are through."""
        if self.doubted is not None:
            yield self.doubted
        yield from self._batches

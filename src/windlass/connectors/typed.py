"""What all sources have in common whose rows have types: only a value can be wrong, never a row as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from windlass.connectors.protocol import BadRow, RowFault
from windlass.connectors.scratch import Scratch
from windlass.errors import WindlassError

__all__ = ["TypedSource"]


class TypedSource:
    """The part of `Source` that is about broken rows, for sources that have none."""

    name: str

    def occupied(self) -> Iterable[str]:
        return ()

    def faults(self) -> Sequence[RowFault]:
        return ()

    def record(self) -> str | None:
        return None

    def rejected(self, scratch: Scratch) -> list[BadRow]:
        return []

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        for row in rows:
            row.source = row.source or self.name
            yield row

    def recover(self, error: WindlassError, scratch: Scratch) -> bool:
        return False

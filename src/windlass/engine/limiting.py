"""The first rows of a relation, as a relation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from windlass.connectors.rows import BadRow, Column, RowFault
from windlass.connectors.source import Relation
from windlass.errors import WindlassError

__all__ = ["FirstRows"]


class FirstRows(Relation):
    """At most `limit` rows; a reader that can stops after them."""

    def __init__(self, inner: Relation, limit: int) -> None:
        self._inner, self._limit = inner, limit
        self.name, self.rereadable = inner.name, inner.rereadable
        self.has_interval, self.has_since = inner.has_interval, inner.has_since

    def columns(self) -> list[Column]:
        columns = self._inner.columns()
        self.mark = self._inner.mark
        return columns

    def sql(self) -> str:
        return f"(SELECT * FROM {self._inner.sql()} LIMIT {self._limit})"

    def faults(self) -> Sequence[RowFault]:
        return self._inner.faults()

    def record(self) -> str | None:
        return self._inner.record()

    def rejected(self) -> list[BadRow]:
        return self._inner.rejected()

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        return self._inner.locate(rows)

    def recover(self, error: WindlassError) -> Relation | None:
        found = self._inner.recover(error)
        return None if found is None else FirstRows(found, self._limit)

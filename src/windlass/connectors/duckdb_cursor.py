"""The cursor of an incremental copy in the SQL of the scratch database: of files, APIs and whatever else DuckDB reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from windlass.connectors.cursors import Family
from windlass.connectors.rows import Column, is_decimal
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.errors import Code, FatalError, did_you_mean

__all__ = ["DuckdbCursor"]


class DuckdbCursor:
    """The cursor of rows that the scratch database reads. Implements `CursorSql`.

    Text that is a time in each row is compared as a time.
    """

    def __init__(
        self, scratch: Scratch, rows: str, columns: Sequence[Column], cursor: str, name: str
    ) -> None:
        types = {column.name: column.guess or column.type for column in columns}
        if cursor not in types:
            hint = did_you_mean(cursor, types)
            raise FatalError(f"{name} has no column {cursor!r}", hint=hint, code=Code.NO_COLUMN)
        self._scratch, self._type = scratch, types[cursor]
        if self._type == "VARCHAR" and self._has_only_times(rows, identifier(cursor)):
            self._type = "TIMESTAMP WITH TIME ZONE"
        self.value = f"TRY_CAST({identifier(cursor)} AS {self._type})"
        self.family = _family(self._type)
        self.compares_text = self.family == "text"
        self.columns = [(column.name, column.type) for column in columns]
        texts = (f"CAST({identifier(column.name)} AS VARCHAR)" for column in columns)
        parts = (f"coalesce(length({text}) || ':' || {text}, '-')" for text in texts)
        self.digest = f"left(md5({' || '.join(parts)}), 16)"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._scratch.rows(sql)

    def highest(self, rows: str) -> str | None:
        found: str | None = self._scratch.value(f"SELECT CAST(max({self.value}) AS VARCHAR) FROM {rows}")
        return found

    def constant(self, text: str) -> str:
        return f"CAST({literal(text)} AS {self._type})"

    def not_before(self, text: str, lookback: Decimal) -> str:
        if not lookback:
            return f"{self.value} >= {self.constant(text)}"
        if self.family == "number":
            return f"{self.value} >= {Decimal(text) - lookback:f}"
        return f"{self.value} >= {self.constant(text)} - INTERVAL '{lookback * 1000:f} milliseconds'"

    def _has_only_times(self, rows: str, column: str) -> bool:
        other = f"{column} IS NOT NULL AND TRY_CAST({column} AS TIMESTAMPTZ) IS NULL"
        return not self.rows(f"SELECT 1 FROM {rows} WHERE {other} LIMIT 1")

    def is_one_of(self, digests: Iterable[str]) -> str:
        import pyarrow as pa

        table = self._scratch.register_table(pa.table({"digest": pa.array(digests, pa.string())}))
        return f"{self.digest} IN (SELECT digest FROM {table})"


def _family(kind: str) -> Family:
    """What a type of DuckDB is as a cursor."""
    if kind.startswith(("DATE", "TIMESTAMP")):
        return "time"
    if kind == "VARCHAR":
        return "text"
    is_number = is_decimal(kind) or kind.endswith("INT") or kind in ("INTEGER", "DOUBLE", "FLOAT", "REAL")
    return "number" if is_number else "other"

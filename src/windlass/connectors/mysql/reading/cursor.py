"""The cursor of an incremental copy in the SQL of MySQL.

A snapshot does not show what open transactions will still commit below the highest value, so `lookback` has to say how
late a row may come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from windlass.connectors.cursors import Family
from windlass.connectors.mysql.names import quoted, text
from windlass.connectors.mysql.reading.columns import Selected
from windlass.connectors.mysql.session import Session

__all__ = ["MysqlCursor"]


class MysqlCursor:
    """The cursor of a table or query. Implements `CursorSql`."""

    def __init__(self, session: Session, columns: Sequence[Selected], cursor: Selected) -> None:
        self._session = session
        self.value = quoted(cursor.column.name)
        if cursor.column.type == "FLOAT":
            self.value = f"({self.value} + 0e0)"
        self.family = _family(cursor)
        self.compares_text = self.family == "text"
        self.columns = [(each.column.name, each.column.guess or each.column.type) for each in columns]
        parts = (f"COALESCE(MD5({_exact(each)}), '-')" for each in columns)
        self.digest = f"LEFT(MD5(CONCAT({', '.join(parts)})), 16)"

    def rows(self, sql: str) -> list[Any]:
        return self._session.rows(sql)

    def highest(self, rows: str) -> str | None:
        found = self._session.value(f"SELECT CAST(MAX({self.value}) AS CHAR) FROM {rows}")
        return None if found is None else str(found)

    def constant(self, text_: str) -> str:
        return text_ if self.family == "number" else text(text_)

    def not_before(self, text_: str, lookback: Decimal) -> str:
        if self.family == "number":
            return f"{self.value} >= {self.constant(text_)} - {lookback:f}"
        if not lookback:
            return f"{self.value} >= {self.constant(text_)}"
        return f"{self.value} >= CAST({text(text_)} AS DATETIME(6)) - INTERVAL {lookback:f} SECOND"

    def is_one_of(self, digests: Iterable[str]) -> str:
        known = ", ".join(f"'{digest}'" for digest in digests)
        return f"{self.digest} IN ({known})" if known else "FALSE"


def _exact(each: Selected) -> str:
    """SQL for bytes that say a value exactly."""
    name = quoted(each.column.name)
    number = {"FLOAT": f"{name} + 0e0", "BOOLEAN": f"{name} + 0"}.get(each.column.type, name)
    return f"CAST({number} AS BINARY)"


def _family(cursor: Selected) -> Family:
    column = cursor.column
    if cursor.has_dates:
        return "time"
    if column.type == "VARCHAR" and not column.guess and not column.carries:
        return "text"
    is_number = column.type not in ("VARCHAR", "BLOB", "BOOLEAN") or column.carries == "number"
    return "number" if is_number else "other"

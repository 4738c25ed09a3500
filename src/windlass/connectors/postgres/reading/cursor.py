"""The cursor of an incremental copy of a view or query, whose rows have no transaction numbers.

Nobody can say then what open transactions will still commit with lower values, so `lookback` has to say how late
a row may come.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from windlass.connectors.cursors import Family, required_cursor
from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.postgres.session import Session
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.source import Since
from windlass.errors import Code, FatalError

__all__ = ["ROWS", "PostgresCursor", "family_of", "require_lookback"]

ROWS = "windlass_rows"
"""The alias of the rows that `PostgresCursor` is about."""

_NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")
_TIMES = ("date", "timestamp", "timestamptz")
_TEXTS = ("text", "varchar", "bpchar", "name", "citext")


class PostgresCursor:
    """The cursor of the rows that are called `ROWS`. Implements `CursorSql`."""

    def __init__(self, session: Session, columns: Iterable[PgColumn], cursor: PgColumn) -> None:
        self._session, self._type = session, cursor.type
        self.value = identifier(cursor.name)
        self.family = family_of(cursor)
        self.compares_text = self.family == "text"
        self.columns = [(column.name, column.type) for column in columns]
        self.digest = f"left(md5({ROWS}::text), 16)"

    def rows(self, sql: str) -> list[Any]:
        return self._session.fetch(sql)

    def highest(self, rows: str) -> str | None:
        wanted = f"SELECT {self.value}::text AS windlass_text FROM {rows} WHERE {self.value} IS NOT NULL"
        found = self.rows(f"{wanted} ORDER BY {self.value} DESC LIMIT 1")
        return str(found[0][0]) if found else None

    def constant(self, text: str) -> str:
        return f"{literal(text)}::{self._type}"

    def not_before(self, text: str, lookback: Decimal) -> str:
        return f"{self.value} >= {earlier(self.constant(text), self.family, lookback)}"

    def is_one_of(self, digests: Iterable[str]) -> str:
        return f"{self.digest} = ANY ('{{{','.join(digests)}}}'::text[])"


def family_of(column: PgColumn) -> Family:
    """What a column is as a cursor."""
    families: list[tuple[tuple[str, ...], Family]] = [
        (_NUMBERS, "number"),
        (_TIMES, "time"),
        (_TEXTS, "text"),
    ]
    return next((family for bases, family in families if column.base in bases), "other")


def earlier(value: str, family: Family, lookback: Decimal) -> str:
    """SQL for what lies so far below a value."""
    if not lookback:
        return value
    return f"{value} - {lookback:f}" if family == "number" else f"{value} - interval '{lookback:f} seconds'"


def require_lookback(since: Since, name: str) -> str:
    """The name of the cursor. Raises FatalError when nothing says how late a row may come."""
    cursor = required_cursor(since, name)
    if since.lookback is None:
        hint = (
            "say for how long a transaction may be open, such as `incremental: {cursor: …, lookback: 1h}`; "
            "or copy a table, which needs no cursor"
        )
        raise FatalError(
            f"{name} is not a table, so nobody can see which of its rows will still be committed below the highest "
            f"{cursor!r}",
            hint=hint,
            code=Code.CURSOR,
        )
    return cursor

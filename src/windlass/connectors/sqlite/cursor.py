"""The cursor of an incremental copy in SQLite's own SQL."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from windlass.connectors.cursors import Family
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.sqlite.database import sqlite_errors
from windlass.errors import Code, FatalError

__all__ = ["SqliteCursor"]

_TIME = "%Y-%m-%d %H:%M:%f"
_ISO = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"


class SqliteCursor:
    """The cursor of a table or query. Implements `CursorSql`.

    Times are text, in any of the ISO forms, with and without a zone: they are compared as UTC, to the millisecond.
    """

    def __init__(
        self, connection: sqlite3.Connection, rows: str, names: Sequence[str], cursor: str, name: str
    ) -> None:
        self._connection = connection
        self.value = identifier(cursor)
        self.family = self._family(rows, name)
        self.compares_text = self.family == "text"
        if self.family == "time":
            self.value = f"strftime('{_TIME}', {self.value})"
        self.columns = [(name, "") for name in names]
        self.digest = f"windlass_digest({', '.join(map(identifier, names))})"
        connection.create_function("windlass_digest", -1, _digest, deterministic=True)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite_errors(self._connection):
            return self._connection.execute(sql).fetchall()

    def highest(self, rows: str) -> str | None:
        found = self.rows(f"SELECT max({self.value}) FROM {rows}")[0][0]
        return None if found is None else str(found)

    def constant(self, text: str) -> str:
        return text if self.family == "number" else literal(text)

    def not_before(self, text: str, lookback: Decimal) -> str:
        if self.family == "number":
            return f"{self.value} >= {Decimal(text) - lookback:f}"
        if not lookback:
            return f"{self.value} >= {literal(text)}"
        return f"{self.value} >= strftime('{_TIME}', {literal(text)}, '-{lookback:f} seconds')"

    def is_one_of(self, digests: Iterable[str]) -> str:
        known = frozenset(digests)
        self._connection.create_function(
            "windlass_is_known", 1, lambda digest: digest in known, deterministic=True
        )
        return f"windlass_is_known({self.digest})"

    def _family(self, rows: str, name: str) -> Family:
        """What the values are; each has a type of its own."""
        stored = f"SELECT DISTINCT typeof({self.value}) FROM {rows} WHERE {self.value} IS NOT NULL"
        kinds = {row[0] for row in self.rows(stored)}
        if kinds <= {"integer", "real"}:
            return "number"
        if kinds != {"text"}:
            found = " and ".join(sorted(kinds))
            hint = "cast it in a `query`, or choose another column"
            raise FatalError(
                f"{name}: the cursor {self.value} has {found}, which nothing orders",
                hint=hint,
                code=Code.CURSOR,
            )
        other = f"{self.value} NOT GLOB '{_ISO}' OR strftime('{_TIME}', {self.value}) IS NULL"
        is_time = not self.rows(f"SELECT 1 FROM {rows} WHERE {self.value} IS NOT NULL AND ({other}) LIMIT 1")
        return "time" if is_time else "text"


def _digest(*values: object) -> str:
    return hashlib.blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

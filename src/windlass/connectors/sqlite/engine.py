"""SQLite's own SQL, for what loads into databases have in common."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from windlass.connectors.scratch import identifier, literal
from windlass.connectors.sql.engine import NewRows, update_from
from windlass.connectors.sqlite.database import sqlite_errors

__all__ = ["SqliteEngine"]

_TIME = "%Y-%m-%d %H:%M:%S"


class SqliteEngine:
    """A connection. Implements `Engine`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with sqlite_errors(self._connection):
            return self._connection.execute(sql, tuple(parameters)).fetchall()

    def changed(self, sql: str) -> int:
        with sqlite_errors(self._connection):
            return self._connection.execute(sql).rowcount

    def update(self, target: str, new: NewRows, on: str, names: Sequence[str]) -> int:
        # to a column that is NOCASE, other letters would be the same
        return self.changed(update_from(target, new, on, names, "COLLATE BINARY IS NOT"))

    def moment(self, column: str) -> str:
        return f"strftime('{_TIME}', {column})"  # any ISO form, brought to UTC

    def bound(self, moment: datetime) -> str:
        return literal(moment.strftime(_TIME))

    def record(self, names: Sequence[str]) -> str:
        return ", ".join(map(identifier, names))

    def read_record(self, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
        shown = (value.hex() if isinstance(value, bytes) else value for value in values)
        return dict(zip(names, shown, strict=True))

    def without(self, new: NewRows, numbers: Sequence[int]) -> NewRows:
        for number in numbers:
            self.changed(f"DELETE FROM {new.sql} WHERE {new.number} = {number}")
        return new

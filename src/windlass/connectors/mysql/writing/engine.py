"""MySQL's own SQL, for what loads into databases have in common.

Its sessions are set up so that names are quoted, and texts written, as in standard SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from windlass.connectors.mysql.session import Session
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.sql.engine import NewRows
from windlass.errors import FatalError

__all__ = ["MysqlEngine"]


class MysqlEngine:
    """A connection. Implements `Engine`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        assert not parameters
        return self._session.rows(sql)

    def changed(self, sql: str) -> int:
        """Raises FatalError when the server has noted anything, for it may have changed a value."""
        changed = self._session.execute(sql)
        if self._session.warning_count:
            notes = "; ".join(str(note[-1]) for note in self._session.warnings()[:3])
            raise FatalError(f"the server would keep other values than those that were read: {notes}")
        return changed

    def update(self, target: str, new: NewRows, on: str, names: Sequence[str]) -> int:
        columns = [identifier(name) for name in names]
        changes = ", ".join(f"d.{name} = s.{name}" for name in columns)
        # to most collations, other letters are the same; and the bytes of a FLOAT are rounded ones
        differs = " OR ".join(
            f"NOT (d.{name} <=> s.{name}) OR NOT (CAST(d.{name} AS BINARY) <=> CAST(s.{name} AS BINARY))"
            for name in columns
        )
        return self.changed(f"UPDATE {target} AS d JOIN {new.sql} AS s ON {on} SET {changes} WHERE {differs}")

    def moment(self, column: str) -> str:
        return column

    def bound(self, moment: datetime) -> str:
        return literal(moment.strftime("%Y-%m-%d %H:%M:%S.%f"))

    def record(self, names: Sequence[str]) -> str:
        return ", ".join(map(identifier, names))

    def read_record(self, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
        shown = (value.hex() if isinstance(value, bytes) else value for value in values)
        return dict(zip(names, shown, strict=True))

    def without(self, new: NewRows, numbers: Sequence[int]) -> NewRows:
        for first in range(0, len(numbers), 1000):
            some = ", ".join(map(str, numbers[first : first + 1000]))
            self.changed(f"DELETE FROM {new.sql} WHERE {new.number} IN ({some})")
        return new

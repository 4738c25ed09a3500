"""What differs between databases, where a load is otherwise written once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from windlass.connectors.rows import record_of
from windlass.connectors.scratch import identifier, literal

__all__ = ["DuckdbEngine", "Engine", "NewRows", "update_from"]


@dataclass(frozen=True)
class NewRows:
    """Rows that have arrived and are not in the table yet: `sql` is what stands after FROM."""

    sql: str
    names: tuple[str, ...]
    number: str
    """The column that numbers them."""

    first: int = 0
    """The number of the first one."""

    @property
    def columns(self) -> str:
        return ", ".join(map(identifier, self.names))


class Engine(Protocol):
    """A database that speaks SQL of its own."""

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return all its rows."""

    def changed(self, sql: str) -> int:
        """Run a statement and return how many rows it changed."""

    def update(self, target: str, new: NewRows, on: str, names: Sequence[str]) -> int:
        """Give rows `d` of a table these columns of the new rows `s`, where they differ. Returns how many it changed."""

    def moment(self, column: str) -> str:
        """SQL for a date or time as `bound` says moments."""

    def bound(self, moment: datetime) -> str:
        """SQL for a moment."""

    def record(self, names: Sequence[str]) -> str:
        """SQL, to stand after SELECT, for all that `read_record` needs to tell a row as it is."""

    def read_record(self, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
        """A row as it is kept in quarantine."""

    def without(self, new: NewRows, numbers: Sequence[int]) -> NewRows:
        """The rows but for those of these numbers."""


def update_from(target: str, new: NewRows, on: str, names: Sequence[str], differs: str) -> str:
    """An UPDATE with a FROM; `differs` is the operator for values that are not the same, NULL being the same as NULL."""
    columns = [identifier(name) for name in names]
    changes = ", ".join(f"{name} = s.{name}" for name in columns)
    changed = " OR ".join(f"d.{name} {differs} s.{name}" for name in columns)
    return f"UPDATE {target} AS d SET {changes} FROM {new.sql} AS s WHERE {on} AND ({changed})"


class DuckdbEngine:
    """DuckDB: the scratch database, or a file that is attached to it. Implements `Engine`."""

    def __init__(self, run: Callable[..., list[tuple[Any, ...]]]) -> None:
        self.rows = run

    def changed(self, sql: str) -> int:
        return int(self.rows(sql)[0][0])

    def update(self, target: str, new: NewRows, on: str, names: Sequence[str]) -> int:
        return self.changed(update_from(target, new, on, names, "IS DISTINCT FROM"))

    def moment(self, column: str) -> str:
        return f"TRY_CAST({column} AS TIMESTAMPTZ)"  # it may be text

    def bound(self, moment: datetime) -> str:
        return f"CAST({literal(moment.isoformat())} AS TIMESTAMPTZ)"

    def record(self, names: Sequence[str]) -> str:
        fields = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in names)
        return f"to_json(struct_pack({fields}))"

    def read_record(self, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
        record: dict[str, Any] = record_of(values[0])
        return record

    def without(self, new: NewRows, numbers: Sequence[int]) -> NewRows:
        if not numbers:
            return new
        left_out = ", ".join(map(str, numbers))
        return replace(new, sql=f"(SELECT * FROM {new.sql} WHERE {new.number} NOT IN ({left_out}))")

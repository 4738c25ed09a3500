"""What a copy changes of its destination's columns, for people and machines to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from windlass import logs
from windlass.connectors.rows import Column
from windlass.engine.faults import Output

__all__ = ["ColumnChanges", "changes_of"]


@dataclass(frozen=True)
class ColumnChanges:
    """In which columns the two ends differed."""

    added: Mapping[str, str] = field(default_factory=dict)
    """Those that the destination did not have before, each with its type."""

    missing: tuple[str, ...] = ()
    """Those of the destination that the source does not have, and that have no default: new rows have NULL there."""

    widened: Mapping[str, str] = field(default_factory=dict)
    """Those that have got a wider type: `integer → bigint`."""

    def as_detail(self) -> dict[str, object]:
        """What is to be said in the detail of a task; nothing where nothing changed."""
        found = {
            "columns_added": list(self.added),
            "columns_missing": list(self.missing),
            "columns_widened": dict(self.widened),
        }
        return {name: value for name, value in found.items() if value}

    def log(self) -> None:
        """Tell of them, once they are committed."""
        if self.added:
            logs.warning("columns_added", columns=dict(self.added))
        if self.widened:
            logs.warning("columns_widened", columns=dict(self.widened))
        if self.missing:
            logs.info("columns_missing", columns=list(self.missing))


def changes_of(before: Sequence[Column] | None, outputs: Sequence[Output]) -> ColumnChanges:
    """What becomes of the columns that were there before, by what will be written."""
    if before is None:
        return ColumnChanges()
    now = {output.target.name: output.target for output in outputs}
    known = {column.name: column for column in before}
    added = {name: _type(column) for name, column in now.items() if name not in known}
    missing = tuple(c.name for c in before if c.name not in now and not (c.generated or c.has_default))
    widened = {
        name: f"{_type(column)} → {_type(now[name])}"
        for name, column in known.items()
        if name in now and _type(column) != _type(now[name])
    }
    return ColumnChanges(added, missing, widened)


def _type(column: Column) -> str:
    return column.native or column.type

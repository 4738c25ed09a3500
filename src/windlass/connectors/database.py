"""A database that runs SQL: for `sql` and `check` tasks, and for init files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Database", "SqlResult"]


@dataclass(frozen=True)
class SqlResult:
    """What SQL returned: the rows of its last SELECT, and how many rows its statements changed."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    changed: int | None = None


class Database(Protocol):
    """A database that is connected: runs SQL for `sql` and `check` tasks and for init files."""

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        """Run one or more statements. Raises FatalError with the place in the script."""

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        """Run one SELECT."""

    def tables(self) -> list[str]:
        """The names of the tables, for "did you mean"."""

    def close(self) -> None: ...

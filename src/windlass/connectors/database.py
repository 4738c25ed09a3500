"""A database that runs SQL: for `sql` and `check` tasks, and for init files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from windlass.connectors import scratch

__all__ = ["Database", "OwnDialect", "Rehearsing", "SqlResult", "identifier", "literal"]


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


@runtime_checkable
class OwnDialect(Protocol):
    """A database whose names and values are not written as in standard SQL."""

    def identifier(self, name: str) -> str:
        """A name, quoted."""

    def literal(self, value: object) -> str:
        """A value."""


@runtime_checkable
class Rehearsing(Protocol):
    """A database that judges SQL without running it."""

    def rehearse(self, script: str) -> int | None:
        """How many bytes it would read, where that is known. Raises FatalError for what is wrong with it."""


def identifier(database: Database, name: str) -> str:
    """A name as a database quotes it."""
    return database.identifier(name) if isinstance(database, OwnDialect) else scratch.identifier(name)


def literal(database: Database, value: object) -> str:
    """A value as a database writes it."""
    return database.literal(value) if isinstance(database, OwnDialect) else scratch.literal(value)

"""Tables and columns that a copy does not write to."""

from __future__ import annotations

from windlass.connectors.mysql.catalog import OURS, Table
from windlass.connectors.mysql.writing.types import refusal
from windlass.errors import FatalError

__all__ = ["LONGEST_NAME", "check_column_name", "check_name", "check_table", "check_writable"]

LONGEST_NAME = 64


def check_name(table: str) -> None:
    if len(table) > LONGEST_NAME or table.startswith(OURS) or "\0" in table:
        raise FatalError(f"a table cannot be called {table!r}")


def check_table(table: Table | None, name: str) -> None:
    """Raise FatalError for what does not undo what a transaction has written."""
    if table is None:
        return
    if table.kind not in ("BASE TABLE", "SYSTEM VERSIONED"):
        raise FatalError(f"{name} is a {table.kind.lower()}, and a copy only writes to a table")
    if table.engine != "InnoDB":
        hint = f"convert it: ALTER TABLE {name} ENGINE=InnoDB"
        message = f"{name} is kept by the engine {table.engine}, which cannot undo a load that fails"
        raise FatalError(message, hint=hint)


def check_writable(table: Table, name: str) -> None:
    found = next((column for column in table.columns if column.name == name), None)
    why = refusal(found) if found is not None else None
    if why is not None:
        raise FatalError(f"column {name!r} of {table.schema}.{table.name} cannot be written: {why}")


def check_column_name(name: str) -> None:
    """Raise FatalError for what cannot be the name of a column."""
    if len(name) > LONGEST_NAME or name.endswith(" ") or "\0" in name:
        raise FatalError(
            f"MySQL cannot have a column called {name!r}", hint="choose another name with `select`"
        )

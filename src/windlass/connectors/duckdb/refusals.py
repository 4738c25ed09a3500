"""Rows that a table would refuse. DuckDB has no savepoints, so they are found before they are inserted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from windlass.connectors.rows import Reason
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.sql.engine import DuckdbEngine, NewRows

__all__ = ["refusals"]

Refusal: TypeAlias = tuple[str, Reason, str]
"""SQL that is true for a new row `s` that the table would refuse, why, and what to say."""


def refusals(engine: DuckdbEngine, table: str, new: NewRows, *, appends: bool) -> list[Refusal]:
    """What the constraints of a table, given by its whole name, say of new rows."""
    return list(_refusals(engine, table, new, appends=appends))


def _refusals(engine: DuckdbEngine, table: str, new: NewRows, *, appends: bool) -> Iterator[Refusal]:
    constraints = engine.rows(
        "SELECT constraint_type, constraint_column_names, expression FROM duckdb_constraints() "
        f"WHERE database_name || '.main.' || {_quoted('table_name')} = {literal(table)}"
    )
    for kind, names, expression in constraints:
        if kind == "CHECK":
            yield f"NOT ({expression})", Reason.CHECK_VIOLATION, f"violates CHECK ({expression})"
        elif kind in ("PRIMARY KEY", "UNIQUE"):
            yield from _taken(table, names, new, appends=appends)


def _taken(table: str, key: Sequence[str], new: NewRows, *, appends: bool) -> Iterator[Refusal]:
    """Rows whose unique key an earlier row has, or the table already."""
    same = " AND ".join(f"o.{identifier(name)} = s.{identifier(name)}" for name in key)
    shown = f"the unique key ({', '.join(key)}) is taken"
    earlier = f"EXISTS (SELECT 1 FROM {new.sql} AS o WHERE {same} AND o.{new.number} < s.{new.number})"
    yield earlier, Reason.UNIQUE_VIOLATION, f"{shown} by an earlier row"
    if appends:
        yield f"EXISTS (SELECT 1 FROM {table} AS o WHERE {same})", Reason.UNIQUE_VIOLATION, shown


def _quoted(column: str) -> str:
    """SQL for a name as `identifier` writes it."""
    return f"""('"' || replace({column}, '"', '""') || '"')"""

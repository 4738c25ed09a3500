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


def refusals(
    engine: DuckdbEngine, table: str, new: NewRows, *, stays: bool, key: Sequence[str] = ()
) -> list[Refusal]:
    """What the constraints of a table, given by its whole name, say of new rows.

    `stays`: the rows that are there stay. `key`: new rows take the place of those with the same key.
    """
    return list(_refusals(engine, table, new, stays=stays, key=key))


def _refusals(
    engine: DuckdbEngine, table: str, new: NewRows, *, stays: bool, key: Sequence[str]
) -> Iterator[Refusal]:
    constraints = engine.rows(
        "SELECT constraint_type, constraint_column_names, expression FROM duckdb_constraints() "
        f"WHERE database_name || '.main.' || {_quoted('table_name')} = {literal(table)}"
    )
    for kind, names, expression in constraints:
        if kind == "CHECK":
            yield f"NOT ({expression})", Reason.CHECK_VIOLATION, f"violates CHECK ({expression})"
        elif kind in ("PRIMARY KEY", "UNIQUE"):
            yield from _taken(table, names, new, stays=stays, key=key)


def _taken(
    table: str, unique: Sequence[str], new: NewRows, *, stays: bool, key: Sequence[str]
) -> Iterator[Refusal]:
    """Rows whose unique key an earlier row has, or one of the table that stays as it is."""
    if not set(unique) <= set(new.names):
        return
    same = _equal(unique, "o", "s")
    shown = f"the unique key ({', '.join(unique)}) is taken"
    earlier = f"EXISTS (SELECT 1 FROM {new.sql} AS o WHERE {same} AND o.{new.number} < s.{new.number})"
    yield earlier, Reason.UNIQUE_VIOLATION, f"{shown} by an earlier row"
    if stays:
        changed = (
            f" AND NOT EXISTS (SELECT 1 FROM {new.sql} AS n WHERE {_equal(key, 'n', 'o')})" if key else ""
        )
        yield f"EXISTS (SELECT 1 FROM {table} AS o WHERE {same}{changed})", Reason.UNIQUE_VIOLATION, shown


def _equal(names: Sequence[str], one: str, other: str) -> str:
    return " AND ".join(f"{one}.{identifier(name)} = {other}.{identifier(name)}" for name in names)


def _quoted(column: str) -> str:
    """SQL for a name as `identifier` writes it."""
    return f"""('"' || replace({column}, '"', '""') || '"')"""

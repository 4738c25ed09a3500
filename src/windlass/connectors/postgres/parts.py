"""`partition:` splits a table into parts that several connections read at once, in one shared snapshot."""

from __future__ import annotations

import itertools

from windlass.connectors.postgres.catalog import PgColumn, Table
from windlass.connectors.postgres.session import Session
from windlass.connectors.scratch import identifier, literal
from windlass.errors import FatalError
from windlass.plan.model import Partition

__all__ = ["conditions"]

_SPLITTABLE = ("int2", "int4", "int8", "numeric", "float4", "float8", "date", "timestamp", "timestamptz")


def conditions(
    session: Session,
    from_clause: str,
    table: Table | None,
    columns: tuple[PgColumn, ...],
    partition: Partition,
) -> list[str]:
    """One SQL condition a part; together they hold for every row exactly once."""
    if partition.parts < 2:
        return ["true"]
    if partition.by == "ctid":
        if table is None or table.kind not in "rm":
            raise FatalError("`partition: {by: ctid}` needs an ordinary table", hint="name a column instead")
        return _by_pages(session, table, partition.parts)
    column = next((c for c in columns if c.name == partition.by), None)
    if column is None or column.base not in _SPLITTABLE:
        raise FatalError(f"`partition: {{by: {partition.by}}}`: expected a column of numbers, dates or times")
    return _by_column(session, from_clause, column, partition.parts)


def _by_pages(session: Session, table: Table, parts: int) -> list[str]:
    pages = session.value(
        "SELECT pg_relation_size($1::int8::oid::regclass) / current_setting('block_size')::int8", table.oid
    )
    bounds = [pages * i // parts for i in range(1, parts)]
    tids = [f"'({page},0)'::tid" for page in bounds]
    return _between("ctid", tids, null=False)


def _by_column(session: Session, from_clause: str, column: PgColumn, parts: int) -> list[str]:
    name = identifier(column.name)
    steps = ", ".join(f"(low + (high - low) * {i}::float8 / {parts})::text" for i in range(1, parts))
    if column.base in ("int2", "int4", "int8", "numeric"):
        steps = ", ".join(
            f"(low::numeric + (high::numeric - low) * {i} / {parts})::text" for i in range(1, parts)
        )
    if column.base == "date":
        steps = ", ".join(f"(low + (high - low) * {i} / {parts})::text" for i in range(1, parts))
    row = session.row(
        f"SELECT {steps} FROM (SELECT min({name}) AS low, max({name}) AS high FROM {from_clause}) AS r"
    )
    kind = "numeric" if column.base in ("int2", "int4", "int8", "numeric") else column.type
    bounds = [f"{literal(text)}::{kind}" for text in row if text is not None]
    return _between(name, bounds, null=True)


def _between(value: str, bounds: list[str], *, null: bool) -> list[str]:
    """Below the first bound (and NULL), between each two, from the last on."""
    if not bounds:
        return ["true"]
    first = f"{value} < {bounds[0]}" + (f" OR {value} IS NULL" if null else "")
    middle = [f"{value} >= {low} AND {value} < {high}" for low, high in itertools.pairwise(bounds)]
    return [first, *middle, f"{value} >= {bounds[-1]}"]

"""`partition:` splits a table into parts: several connections read them at once, in one shared snapshot.

Or each is a load of its own (`split`, `condition`), under bounds that were found once for all of them.
"""

from __future__ import annotations

import itertools

from windlass.connectors.postgres.catalog import PgColumn, Table
from windlass.connectors.postgres.session import Session
from windlass.connectors.scratch import identifier, literal
from windlass.connectors.source import Part
from windlass.errors import FatalError
from windlass.plan.model import Partition

__all__ = ["condition", "conditions", "split"]

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
    return [condition(columns, part) for part in split(session, from_clause, columns, partition)]


def split(
    session: Session, from_clause: str, columns: tuple[PgColumn, ...], partition: Partition
) -> list[Part]:
    """Parts of about the same range of a column; the whole when it has no values."""
    by, column = partition.by, _column(columns, partition.by)
    bounds = _bounds(session, from_clause, column, partition.parts)
    if not bounds:
        return [Part()]
    ranges = itertools.pairwise([None, *bounds, None])
    return [Part(f"{i}/{len(bounds) + 1}", by, low, high) for i, (low, high) in enumerate(ranges, 1)]


def condition(columns: tuple[PgColumn, ...], part: Part) -> str:
    """SQL that holds for the rows of a part."""
    if part.low is None and part.high is None:
        return "true"
    column = _column(columns, part.by)
    name, low, high = identifier(column.name), part.low, part.high
    if low is None:
        return f"({name} < {literal(str(high))}::{column.base} OR {name} IS NULL)"
    begins = f"{name} >= {literal(low)}::{column.base}"
    return begins if high is None else f"{begins} AND {name} < {literal(high)}::{column.base}"


def _column(columns: tuple[PgColumn, ...], by: str) -> PgColumn:
    column = next((c for c in columns if c.name == by), None)
    if column is None or column.base not in _SPLITTABLE:
        raise FatalError(f"`partition: {{by: {by}}}`: expected a column of numbers, dates or times")
    return column


def _by_pages(session: Session, table: Table, parts: int) -> list[str]:
    pages = session.value(
        "SELECT pg_relation_size($1::int8::oid::regclass) / current_setting('block_size')::int8", table.oid
    )
    bounds = [pages * i // parts for i in range(1, parts)]
    tids = [f"'({page},0)'::tid" for page in bounds]
    return _between("ctid", tids)


def _bounds(session: Session, from_clause: str, column: PgColumn, parts: int) -> list[str]:
    """What lies between the parts, as text of the column's type; nothing when it has no values."""
    name = identifier(column.name)
    if column.base in ("date", "numeric"):
        step = "low + (high - low) * {i} / {parts}"
    elif column.base.startswith("int"):
        step = "ceil(low::numeric + (high::numeric - low) * {i} / {parts})"  # whole, so that an index serves
    else:
        step = "low + (high - low) * {i}::float8 / {parts}"
    steps = ", ".join(f"({step.format(i=i, parts=parts)})::text" for i in range(1, parts))
    row = session.row(
        f"SELECT {steps} FROM (SELECT min({name}) AS low, max({name}) AS high FROM {from_clause}) AS r"
    )
    return [text for text in row if text is not None]


def _between(value: str, bounds: list[str]) -> list[str]:
    """Below the first bound, between each two, from the last on."""
    middle = [f"{value} >= {low} AND {value} < {high}" for low, high in itertools.pairwise(bounds)]
    return [f"{value} < {bounds[0]}", *middle, f"{value} >= {bounds[-1]}"]

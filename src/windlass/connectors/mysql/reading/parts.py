"""A table of MySQL in parts: ranges of a column, each of which is read in a session, and a snapshot, of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any

from windlass.connectors.mysql.names import quoted
from windlass.connectors.mysql.reading.columns import Selected
from windlass.connectors.mysql.session import Session
from windlass.connectors.rules import INTEGERS
from windlass.connectors.scratch import literal
from windlass.connectors.source import Part
from windlass.errors import FatalError

__all__ = ["condition", "split"]

_FIRST = "1000-01-01"  # what is before that, such as 0000-00-00, is in the first part


def split(session: Session, rows: str, columns: Iterable[Selected], by: str, parts: int) -> list[Part]:
    """Parts of about the same range of a column; the whole when it has no values. `rows` stands after FROM."""
    column = _column(columns, by)
    name = quoted(by)
    if column.has_dates:
        ends = f"CAST(MIN({name}) AS CHAR), CAST(MAX({name}) AS CHAR) FROM {rows} WHERE {name} >= '{_FIRST}'"
    else:
        ends = f"CAST(MIN({name}) + 0 AS CHAR), CAST(MAX({name}) + 0 AS CHAR) FROM {rows}"
    low, high = session.rows(f"SELECT {ends}")[0]
    bounds = [] if low is None else _bounds(column, str(low), str(high), parts)
    if not bounds:
        return [Part()]
    ranges = itertools.pairwise([None, *bounds, None])
    return [Part(f"{i}/{len(bounds) + 1}", by, low, high) for i, (low, high) in enumerate(ranges, 1)]


def condition(columns: Iterable[Selected], part: Part) -> str | None:
    """SQL that holds for the rows of a part; None for the whole."""
    if part.low is None and part.high is None:
        return None
    column, name = _column(columns, part.by), quoted(part.by)
    low, high = (None if bound is None else _literal(column, bound) for bound in (part.low, part.high))
    if low is None:
        return f"({name} < {high} OR {name} IS NULL)"
    return f"{name} >= {low}" if high is None else f"({name} >= {low} AND {name} < {high})"


def _column(columns: Iterable[Selected], by: str) -> Selected:
    found = next((each for each in columns if each.column.name == by), None)
    if found is None or not (found.has_dates or _is_number(found)):
        raise FatalError(f"`partition: {{by: {by}}}`: expected a column of exact numbers, dates or times")
    return found


def _is_number(column: Selected) -> bool:
    """Floating-point numbers are none: where one lies beside a decimal one, servers do not say alike."""
    return column.column.type in INTEGERS or column.column.type.startswith("DECIMAL(")


def _bounds(column: Selected, low: str, high: str, parts: int) -> list[str]:
    """What lies between the parts, as text, each once."""
    if not column.has_dates:
        found = _numbers(column, Decimal(low), Decimal(high), parts)
    elif column.column.guess == "DATE":
        first, days = date.fromisoformat(low).toordinal(), date.fromisoformat(high).toordinal()
        found = [str(date.fromordinal(first + (days - first) * i // parts)) for i in range(1, parts)]
    else:
        begin, end = datetime.fromisoformat(low), datetime.fromisoformat(high)
        found = [str(begin + (end - begin) * i / parts) for i in range(1, parts)]
    return [bound for bound in dict.fromkeys(found) if bound != low]


def _numbers(column: Selected, low: Decimal, high: Decimal, parts: int) -> list[str]:
    scale = int(column.column.type.rpartition(",")[2].rstrip(")")) if "," in column.column.type else 0
    with localcontext(prec=80):
        steps = (low + (high - low) * i / parts for i in range(1, parts))
        return [format(step.quantize(Decimal(1).scaleb(-scale), ROUND_CEILING), "f") for step in steps]


def _literal(column: Selected, bound: str) -> str:
    """A bound, which has travelled by a scheduler, in SQL. Raises FatalError where it is not one of the column."""
    value: Any
    try:
        value = datetime.fromisoformat(bound) if column.has_dates else Decimal(bound)
    except (ValueError, ArithmeticError) as exc:
        raise FatalError(f"{bound!r} is not a bound of the column {column.column.name!r}") from exc
    return literal(bound) if column.has_dates else format(value, "f")

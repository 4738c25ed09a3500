"""Which type keeps every value of two others: what a column becomes when its source's values have outgrown it."""

from __future__ import annotations

import re

from windlass.connectors.rows import is_decimal
from windlass.connectors.rules import INTEGERS

__all__ = ["common_type", "is_exact_number"]

_SIGNED = ("SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_MOST_DIGITS = 38  # of a DECIMAL in Arrow, Parquet and DuckDB
_ORDERS = (
    ("FLOAT", "DOUBLE"),
    ("DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP"),
)
"""Types each of which has all values of those before it. (`TIMESTAMP_NS` has fewer years.)"""


def common_type(one: str, two: str) -> str | None:
    """The smallest DuckDB type with every value of both; None where there is none.

    Only types of one kind have one: text that says a number has stopped being one, and a number is not true or false.

    >>> common_type("INTEGER", "BIGINT"), common_type("INTEGER", "DECIMAL(5,2)"), common_type("BIGINT", "VARCHAR")
    ('BIGINT', 'DECIMAL(12,2)', None)
    >>> common_type("DECIMAL(5,2)", "DECIMAL(6,2)[]") is None
    True
    """
    if one == two:
        return one
    if one in INTEGERS and two in INTEGERS:
        return _common_integer(one, two)
    if is_exact_number(one) and is_exact_number(two):
        (whole, scale), (other_whole, other_scale) = _digits(one), _digits(two)
        whole, scale = max(whole, other_whole), max(scale, other_scale)
        return f"DECIMAL({whole + scale},{scale})" if whole + scale <= _MOST_DIGITS else None
    for order in _ORDERS:
        if one in order and two in order:
            return max(one, two, key=order.index)
    return None


def is_exact_number(kind: str) -> bool:
    """Whether the type is of numbers in decimal digits."""
    return kind in INTEGERS or is_decimal(kind)


def _common_integer(one: str, two: str) -> str | None:
    low = min(INTEGERS[one][0], INTEGERS[two][0])
    high = max(INTEGERS[one][1], INTEGERS[two][1])
    for kind in (one, two, *_SIGNED):
        if INTEGERS[kind][0] <= low and high <= INTEGERS[kind][1]:
            return kind
    return None


def _digits(kind: str) -> tuple[int, int]:
    """How many digits a number has before its point, and how many behind it."""
    if kind in INTEGERS:
        return len(str(INTEGERS[kind][1])), 0
    precision, scale = map(int, re.findall(r"\d+", kind))
    return precision - scale, scale

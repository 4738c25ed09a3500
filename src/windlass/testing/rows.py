"""Rows with something of everything, and how they are compared whatever an end makes of their types."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

__all__ = ["NAMES", "NEW", "OLD", "Row", "canonical", "record"]

Row: TypeAlias = tuple[int, str | None, str, bool | None, str, str | None]
"""id, name, amount, ok, day, at: as text where ends differ in how they say it."""

NAMES = ("id", "name", "amount", "ok", "day", "at")

OLD: list[Row] = [
    (1, "Ada", "120.50", True, "2020-01-01", "2020-01-01 12:00:00"),
    (2, 'quo"te, comma', "-0.01", False, "2020-02-29", "2020-02-29 23:59:59.999999"),
    (3, "two\nlines", "0.00", True, "1999-12-31", None),
]
NEW: list[Row] = [
    (3, "naïve 🎉", "99999999.99", None, "2020-06-01", "2020-06-01 00:00:00"),
    (4, None, "7.00", False, "2020-06-02", None),
]


def canonical(row: Iterable[Any]) -> Row:
    """A row as any end says it, in the way it is written here."""
    number, name, amount, ok, day, at = row
    # a file of text has 1 and 0 where the source has no type for true and false (SQLite by ADBC)
    known = {True: True, False: False, "true": True, "false": False, "1": True, "0": False, None: None}
    time = None if at is None else datetime.fromisoformat(str(at)).isoformat(" ")
    return (int(number), name, f"{Decimal(str(amount)):.2f}", known[ok], str(day), time)


def record(row: Row) -> str:
    """As a JSON object, the amount as a number."""
    values: dict[str, Any] = dict(zip(NAMES, row, strict=True))
    return json.dumps({**values, "amount": float(row[2])}, ensure_ascii=False)

"""The narrowest type that text values fit without becoming other values.

A column is BOOLEAN, BIGINT, DOUBLE, DATE, TIMESTAMP, TIMESTAMP WITH TIME ZONE, or stays text. Text that
only looks like a number is left alone: `007` has leading zeros to lose, and a number with more digits
than a DOUBLE holds becomes a DECIMAL or stays text. Dates and times count only in ISO 8601.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from windlass.connectors.json_digits import other_digits
from windlass.connectors.scratch import Scratch, identifier, literal

__all__ = ["fits", "in_groups", "infer_types", "values_of"]

_MOST_DIGITS = 38
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_DAY = r"\d{4}-\d{2}-\d{2}"
_TIME = r"[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"
_NUMBER = r"-?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][+-]?[0-9]+)?"

_TESTS = {
    "BOOLEAN": "lower(value) IN ('true', 'false', 't', 'f')",
    "BIGINT": "CAST(TRY_CAST(value AS BIGINT) AS VARCHAR) = value",
    "DOUBLE": (
        f"regexp_full_match(value, '{_NUMBER}') AND NOT isinf(TRY_CAST(value AS DOUBLE)) AND "
        "CASE WHEN strlen(value) <= 15 AND abs(TRY_CAST(value AS DOUBLE)) > 2.3e-308 THEN true "
        f"ELSE NOT {other_digits('value', 'CAST(TRY_CAST(value AS DOUBLE) AS VARCHAR)')} END"
    ),
    "DATE": f"regexp_full_match(value, '{_DAY}') AND TRY_CAST(value AS DATE) IS NOT NULL",
    "TIMESTAMP": f"regexp_full_match(value, '{_DAY}{_TIME}') AND TRY_CAST(value AS TIMESTAMP) IS NOT NULL",
    "TIMESTAMP WITH TIME ZONE": (
        f"regexp_full_match(value, '{_DAY}{_TIME} ?{_ZONE}') AND TRY_CAST(value AS TIMESTAMPTZ) IS NOT NULL"
    ),
    "DECIMAL": r"regexp_full_match(value, '-?(0|[1-9][0-9]*)(\.[0-9]+)?')",
}
"""SQL that is true of a value that fits the type; the first type that all values fit is taken."""

_LONGEST = 400  # characters of a number or time
_HEAD_ROWS = 200
_AT_ONCE = 1000  # columns

Values: TypeAlias = Callable[[Sequence[str], int | None], str]
"""What stands after FROM for all values but NULL of some columns, under each other, as `name` and `value`: so a test
stands in a query once for all columns. The number is that of the rows to look at, None for all."""


def infer_types(scratch: Scratch, values: Values, columns: Sequence[str]) -> dict[str, str | None]:
    """The type of each text column; None where it stays text.

    The first rows show what a column probably is; only that is then tested on all of them.
    """
    found: dict[str, str | None] = {}
    for some in in_groups(columns):
        found |= _types_of(scratch, values, some)
    return found


def in_groups(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """So many columns as can be looked at together: the scratch database makes room for 2,048 values of each."""
    for begin in range(0, len(names), _AT_ONCE):
        yield names[begin : begin + _AT_ONCE]


def values_of(rows: str, names: Sequence[str], limit: int | None = None) -> str:
    """`Values` of rows with a column for each name; `rows` stands after FROM."""
    quoted = [identifier(name) for name in names]
    # a field may have 100 MB; so much of it shows that it is text
    starts = ", ".join(f"left({name}, {_LONGEST + 1}) AS {name}" for name in quoted)
    head = "" if limit is None else f" LIMIT {limit}"
    return f"(SELECT * FROM (SELECT {starts} FROM {rows}{head}) UNPIVOT (value FOR name IN ({', '.join(quoted)})))"


def _types_of(scratch: Scratch, values: Values, columns: Sequence[str]) -> dict[str, str | None]:
    found = _narrowest(scratch, values(columns, _HEAD_ROWS))
    probable = {name: kind for name, kind in found.items() if kind is not None}
    fitting = _that_fit(scratch, values(list(probable), None), probable) if probable else {}
    settled = {name for name in found if fitting.get(name, True)}
    if others := [name for name in columns if name not in settled]:
        found |= _narrowest(scratch, values(others, None))
    if decimals := [name for name in columns if found.get(name) == "DECIMAL"]:
        found |= _decimals(scratch, values(decimals, None))
    return {name: found.get(name) for name in columns}


def _narrowest(scratch: Scratch, values: str) -> dict[str, str | None]:
    """The first type that all values of a column fit; None if there is none. Without values, no entry."""
    tests = ", ".join(f"bool_and({_test(kind)})" for kind in _TESTS)
    found = scratch.rows(f"SELECT name, {tests} FROM {values} GROUP BY name")
    return {
        name: next((kind for kind, fit in zip(_TESTS, fits, strict=True) if fit), None)
        for name, *fits in found
    }


def _that_fit(scratch: Scratch, values: str, expected: Mapping[str, str]) -> dict[str, bool]:
    """Whether all values of each column fit the type that is expected of it."""
    kinds = ", ".join(f"({literal(name)}, {literal(kind)})" for name, kind in expected.items())
    test = " ".join(f"WHEN {literal(kind)} THEN {_test(kind)}" for kind in dict.fromkeys(expected.values()))
    found = scratch.rows(
        f"SELECT name, bool_and(CASE kind {test} END) FROM {values} "
        f"JOIN (VALUES {kinds}) AS expected(name, kind) USING (name) GROUP BY name"
    )
    return dict(found)


def _decimals(scratch: Scratch, values: str) -> dict[str, str | None]:
    """The DECIMAL that holds all digits of each column, if there is one."""
    found = scratch.rows(
        "SELECT name, max(strlen(ltrim(split_part(value, '.', 1), '-'))), max(strlen(split_part(value, '.', 2))) "
        f"FROM {values} GROUP BY name"
    )
    return {
        name: f"DECIMAL({before + after},{after})" if before + after <= _MOST_DIGITS else None
        for name, before, after in found
    }


def fits(kind: str, value: str) -> str:
    """SQL that is true for a text that fits the type, as it was found by `infer_types`; `value` stands for the text."""
    number = _DECIMAL.fullmatch(kind)
    test = re.sub(r"\bvalue\b", lambda _: value, _test("DECIMAL" if number else kind))
    if number is None:
        return test
    before, after = int(number[1]) - int(number[2]), int(number[2])
    return (
        f"({test} AND strlen(ltrim(split_part({value}, '.', 1), '-')) <= {before} "
        f"AND strlen(split_part({value}, '.', 2)) <= {after})"
    )


def _test(kind: str) -> str:
    return f"CASE WHEN strlen(value) <= {_LONGEST} THEN coalesce({_TESTS[kind]}, false) ELSE false END"

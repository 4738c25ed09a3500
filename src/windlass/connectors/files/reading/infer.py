"""The narrowest type that text values fit without becoming other values.

A column is BOOLEAN, BIGINT, DOUBLE, DATE, TIMESTAMP, TIMESTAMP WITH TIME ZONE, or stays text. Text that
only looks like a number is left alone: `007` has leading zeros to lose, and a number with more digits
than a DOUBLE holds becomes a DECIMAL or stays text. Dates and times count only in ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from windlass.connectors.json_digits import other_digits
from windlass.connectors.scratch import Scratch, identifier, literal

__all__ = ["infer_types"]

_MOST_DIGITS = 38
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


def infer_types(scratch: Scratch, rows: str, columns: Sequence[str]) -> dict[str, str | None]:
    """The type of each text column of `rows` (what stands after FROM); None where it stays text.

    The first rows show what a column probably is; only that is then tested on all of them.
    """
    head = f"(SELECT * FROM {rows} LIMIT {_HEAD_ROWS})"
    found = _narrowest(scratch, head, columns)
    probable = {name: kind for name, kind in found.items() if kind is not None}
    wrong = [name for name, fits in _that_fit(scratch, rows, probable).items() if not fits]
    without_value = [name for name in columns if name not in found]
    found.update(_narrowest(scratch, rows, wrong + without_value))
    return {
        name: _decimal(scratch, rows, name) if found.get(name) == "DECIMAL" else found.get(name)
        for name in columns
    }


def _narrowest(scratch: Scratch, rows: str, columns: Sequence[str]) -> dict[str, str | None]:
    """The first type that all values of a column fit; None if there is none. Without values, no entry."""
    if not columns:
        return {}
    tests = ", ".join(f"bool_and({_test(kind)})" for kind in _TESTS)
    found = scratch.rows(f"SELECT name, {tests} FROM {_values(rows, columns)} GROUP BY name")
    return {
        name: next((kind for kind, fit in zip(_TESTS, fits, strict=True) if fit), None)
        for name, *fits in found
    }


def _that_fit(scratch: Scratch, rows: str, expected: Mapping[str, str]) -> dict[str, bool]:
    """Whether all values of each column fit the type that is expected of it."""
    if not expected:
        return {}
    kinds = ", ".join(f"({literal(name)}, {literal(kind)})" for name, kind in expected.items())
    test = " ".join(f"WHEN {literal(kind)} THEN {_test(kind)}" for kind in dict.fromkeys(expected.values()))
    found = scratch.rows(
        f"SELECT name, bool_and(CASE kind {test} END) FROM {_values(rows, list(expected))} "
        f"JOIN (VALUES {kinds}) AS expected(name, kind) USING (name) GROUP BY name"
    )
    return dict(found)


def _values(rows: str, columns: Sequence[str]) -> str:
    """All values but NULL, under each other, so that a test stands in a query once for all columns."""
    names = [identifier(name) for name in columns]
    # a field may have 100 MB; so much of it shows that it is text
    starts = ", ".join(f"left({name}, {_LONGEST + 1}) AS {name}" for name in names)
    return f"(SELECT * FROM (SELECT {starts} FROM {rows}) UNPIVOT (value FOR name IN ({', '.join(names)})))"


def _test(kind: str) -> str:
    return f"CASE WHEN strlen(value) <= {_LONGEST} THEN coalesce({_TESTS[kind]}, false) ELSE false END"


def _decimal(scratch: Scratch, rows: str, name: str) -> str | None:
    """The DECIMAL that holds all digits, if there is one."""
    x = identifier(name)
    before = f"max(strlen(ltrim(split_part({x}, '.', 1), '-')))"
    before, after = scratch.rows(f"SELECT {before}, max(strlen(split_part({x}, '.', 2))) FROM {rows}")[0]
    return f"DECIMAL({before + after},{after})" if before + after <= _MOST_DIGITS else None

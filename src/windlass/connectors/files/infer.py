"""The narrowest type that text values fit without becoming other values.

A column is BOOLEAN, BIGINT, DOUBLE, DATE, TIMESTAMP, TIMESTAMP WITH TIME ZONE, or stays text. Text that
only looks like a number is left alone: `007` has leading zeros to lose, and a number with more digits
than a DOUBLE holds becomes a DECIMAL or stays text. Dates and times count only in ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from windlass.connectors.scratch import Scratch, identifier

__all__ = ["infer_types"]

_MOST_DIGITS = 38
_DAY = r"\d{4}-\d{2}-\d{2}"
_TIME = r"[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"
_NUMBER = r"-?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][+-]?[0-9]+)?"

_TESTS = {
    "BOOLEAN": "lower({x}) IN ('true', 'false', 't', 'f')",
    "BIGINT": "CAST(TRY_CAST({x} AS BIGINT) AS VARCHAR) = {x}",
    "DOUBLE": (
        f"regexp_full_match({{x}}, '{_NUMBER}') AND NOT isinf(TRY_CAST({{x}} AS DOUBLE)) AND (strlen({{x}}) <= 16 OR "
        "CAST(TRY_CAST({x} AS DOUBLE) AS VARCHAR) = {x} OR "
        "length(regexp_replace(regexp_replace({x}, '[eE].*', ''), '[^0-9]', '', 'g')) <= 15)"
    ),
    "DATE": f"regexp_full_match({{x}}, '{_DAY}') AND TRY_CAST({{x}} AS DATE) IS NOT NULL",
    "TIMESTAMP": f"regexp_full_match({{x}}, '{_DAY}{_TIME}') AND TRY_CAST({{x}} AS TIMESTAMP) IS NOT NULL",
    "TIMESTAMP WITH TIME ZONE": (
        f"regexp_full_match({{x}}, '{_DAY}{_TIME} ?{_ZONE}') AND TRY_CAST({{x}} AS TIMESTAMPTZ) IS NOT NULL"
    ),
    "DECIMAL": r"regexp_full_match({x}, '-?(0|[1-9][0-9]*)(\.[0-9]+)?')",
}
"""SQL that is true for a value that fits the type; the first type that all values fit is taken."""

_LONGEST = 400  # characters of a number or time
_HEAD_ROWS = 200
_NO_VALUE = ""


def infer_types(scratch: Scratch, rows: str, columns: Sequence[str]) -> dict[str, str | None]:
    """The type of each text column of `rows` (what stands after FROM); None where it stays text.

    The first rows show what a column probably is; only that is then tested on all of them.
    """
    everything = tuple(_TESTS)
    head = f"(SELECT * FROM {rows} LIMIT {_HEAD_ROWS})"
    probable = _first_fitting(scratch, head, dict.fromkeys(columns, everything))
    unknown = {name: everything for name, kind in probable.items() if kind == _NO_VALUE}
    expected = {name: (kind,) for name, kind in probable.items() if kind in everything}
    found = {**probable, **_first_fitting(scratch, rows, {**unknown, **expected})}
    surprising = [name for name in expected if found[name] is None]
    found.update(_first_fitting(scratch, rows, dict.fromkeys(surprising, everything)))
    return {
        name: _decimal(scratch, rows, name) if kind == "DECIMAL" else _known(kind)
        for name, kind in found.items()
    }


def _test(kind: str, value: str) -> str:
    # a field may have 100 MB, and a cheap look at its size spares several dear ones at all of it
    return f"CASE WHEN strlen({value}) <= {_LONGEST} THEN {_TESTS[kind].replace('{x}', value)} ELSE false END"


def _known(kind: str | None) -> str | None:
    return None if kind == _NO_VALUE else kind


def _first_fitting(
    scratch: Scratch, rows: str, candidates: Mapping[str, Sequence[str]]
) -> dict[str, str | None]:
    """For each column the first of its candidate types that all its values fit; _NO_VALUE without values."""
    if not candidates:
        return {}
    counts = [
        f"count({identifier(name)}), "
        + ", ".join(f"count(*) FILTER ({_test(kind, identifier(name))})" for kind in kinds)
        for name, kinds in candidates.items()
    ]
    numbers = iter(scratch.rows(f"SELECT {', '.join(counts)} FROM {rows}")[0])
    found: dict[str, str | None] = {}
    for name, kinds in candidates.items():
        total, fits = next(numbers), [next(numbers) for _ in kinds]
        fitting = (kind for kind, fit in zip(kinds, fits, strict=True) if fit == total)
        found[name] = next(fitting, None) if total else _NO_VALUE
    return found


def _decimal(scratch: Scratch, rows: str, name: str) -> str | None:
    """The DECIMAL that holds all digits, if there is one."""
    x = identifier(name)
    before = f"max(strlen(ltrim(split_part({x}, '.', 1), '-')))"
    before, after = scratch.rows(f"SELECT {before}, max(strlen(split_part({x}, '.', 2))) FROM {rows}")[0]
    return f"DECIMAL({before + after},{after})" if before + after <= _MOST_DIGITS else None

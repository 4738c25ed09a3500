"""Casts between types, each with the test that tells which values it would change.

Nothing changes silently: a value that the target type cannot hold exactly is a bad row, so DuckDB's
own cast, which rounds `1.5` to the integer 2 and cuts the time off a timestamp, is never enough. Each
test is written so that the common value passes its cheapest part. The table of all pairs is in
docs/reference/types.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from windlass.connectors.rows import Reason, Trust

__all__ = ["Cast", "cast"]

_INTEGERS = {
    "TINYINT": (-(2**7), 2**7),
    "SMALLINT": (-(2**15), 2**15),
    "INTEGER": (-(2**31), 2**31),
    "BIGINT": (-(2**63), 2**63),
    "HUGEINT": (-(2**127), 2**127),
    "UTINYINT": (0, 2**8),
    "USMALLINT": (0, 2**16),
    "UINTEGER": (0, 2**32),
    "UBIGINT": (0, 2**64),
    "UHUGEINT": (0, 2**128),
}
_FLOATS = ("FLOAT", "DOUBLE")
_TIMESTAMPS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
_EXACT_IN_DOUBLE = 2**53


@dataclass(frozen=True)
class Cast:
    """`value` is the SQL of the cast value; `bad` is SQL that is TRUE where it is not the same value.

    In both, `{x}` stands for the uncast value, and in `bad` also `{v}` for the cast one.
    """

    value: str
    bad: str | None = None
    reason: Reason = Reason.TYPE_MISMATCH
    out_of_range: str | None = None
    """SQL like `bad`, for values that are of the type's kind, but more than it holds. Looked at first."""

    def value_of(self, x: str) -> str:
        return self.value.replace("{x}", x)

    def faults(self, x: str, v: str) -> list[tuple[str, Reason]]:
        """What can be wrong with a value, as SQL, and the reason."""
        tests = ((self.out_of_range, Reason.OUT_OF_RANGE), (self.bad, self.reason))
        return [(test.replace("{x}", x).replace("{v}", v), reason) for test, reason in tests if test]


def cast(source: str, target: str, trust: Trust = "declared") -> Cast:
    """How to cast DuckDB type `source` to `target`.

    `target` was `declared`; or `known` to fit, because every value was looked at; or is a guess from
    what was `sampled`, and then even another way of writing the same value (`007`) does not fit.
    """
    if source == target:
        return Cast("{x}")
    if trust == "known":
        return Cast(f"CAST({{x}} AS {target})")
    if target == "VARCHAR":
        return _to_text(source)
    if source in ("VARCHAR", "JSON"):
        return replace(_guessed(target), out_of_range=None) if trust == "sampled" else _from_text(target)
    if source in _INTEGERS or source == "BOOLEAN":
        return _from_integer(source, target)
    return _by_round_trip(source, target)


def _to_text(source: str) -> Cast:
    if source.startswith(("STRUCT", "MAP", "UNION")) or source.endswith("]"):
        return Cast("CAST(to_json({x}) AS VARCHAR)")
    return Cast("CAST({x} AS VARCHAR)")


def _from_integer(source: str, target: str) -> Cast:
    low, high = _INTEGERS.get(source, (0, 2))
    if target in _INTEGERS:
        to_low, to_high = _INTEGERS[target]
        if to_low <= low and high <= to_high:
            return Cast(f"CAST({{x}} AS {target})")
        return Cast(f"TRY_CAST({{x}} AS {target})", "{v} IS NULL AND {x} IS NOT NULL", Reason.OUT_OF_RANGE)
    if target == "DOUBLE" and low >= -_EXACT_IN_DOUBLE and high <= _EXACT_IN_DOUBLE:
        return Cast("CAST({x} AS DOUBLE)")
    if target == "BOOLEAN":
        return Cast("TRY_CAST({x} AS BOOLEAN)", "{x} NOT IN (0, 1)")
    return _by_round_trip(source, target)


def _by_round_trip(source: str, target: str) -> Cast:
    """The general test: casting back gives what was there before."""
    value = f"TRY_CAST({{x}} AS {target})"
    missing = "({v} IS NULL AND {x} IS NOT NULL)"
    if _always_fits(source, target):
        return Cast(f"CAST({{x}} AS {target})")
    back = f"TRY_CAST({{v}} AS {source}) IS DISTINCT FROM {{x}}"
    return Cast(value, f"{missing} OR ({back} AND {{x}} IS NOT NULL)", Reason.LOSES_PRECISION)


def _always_fits(source: str, target: str) -> bool:
    if (source, target) in {("FLOAT", "DOUBLE"), ("DATE", "TIMESTAMP"), ("DATE", "TIMESTAMP WITH TIME ZONE")}:
        return True
    if source in ("TIMESTAMP_S", "TIMESTAMP_MS") and target == "TIMESTAMP":
        return True
    if {source, target} == {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}:
        return True  # the session is in UTC, so a time without a zone is taken as UTC
    if target == "JSON":
        return True
    if (a := _decimal(source)) and (b := _decimal(target)):
        return b[1] >= a[1] and b[0] - b[1] >= a[0] - a[1]
    return False


def _decimal(name: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name)
    return (int(match[1]), int(match[2])) if match else None


# --- from text -----------------------------------------------------------------------------------

_MISSING = "({v} IS NULL AND {x} IS NOT NULL)"
_TOO_LARGE = r"{v} IS NULL AND regexp_full_match({x}, '\s*[+-]?[0-9]+(\.[0-9]*)?\s*')"
_DATE = r"\s*[+-]?\d+-\d{1,2}-\d{1,2}(\s*\(BC\))?\s*|-?infinity"
_NAIVE_TIME = (
    r"\s*[+-]?\d+-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?)?(\s*\(BC\))?\s*|-?infinity"
)


def _from_text(target: str) -> Cast:
    """Text to a type that was declared: any way of writing the value will do, but not another value."""
    value = f"TRY_CAST({{x}} AS {target})"
    if target in _INTEGERS:
        other = r"NOT regexp_full_match({x}, '\s*[+-]?[0-9]+\s*')"
        return Cast(
            value, f"{_MISSING} OR (CAST({{v}} AS VARCHAR) <> {{x}} AND {other})", out_of_range=_TOO_LARGE
        )
    if (digits := _decimal(target)) is not None:
        return Cast(value, f"{_MISSING} OR ({_loses_digits(digits)})", out_of_range=_TOO_LARGE)
    if target in _FLOATS:
        return Cast(value, _MISSING, out_of_range="isinf({v}) AND NOT contains(lower({x}), 'inf')")
    if target == "DATE":
        return Cast(value, f"{_MISSING} OR (strlen({{x}}) <> 10 AND NOT regexp_full_match({{x}}, '{_DATE}'))")
    if target == "TIMESTAMP":
        odd = f"strlen({{x}}) <> 19 AND NOT regexp_full_match({{x}}, '{_NAIVE_TIME}')"
        return Cast(value, f"{_MISSING} OR ({odd})")
    if target == "TIMESTAMP WITH TIME ZONE":
        return Cast(value, _MISSING + r" OR (contains({x}, '.') AND regexp_matches({x}, '\.\d{6}\d*[1-9]'))")
    if target == "JSON":
        return Cast("CASE WHEN json_valid({x}) THEN CAST({x} AS JSON) END", _MISSING)
    if target == "BLOB":
        # Postgres's and DuckDB's text forms of bytes: \x6869 and \x68\x69
        hexadecimal = r"regexp_full_match({x}, '\\x([0-9a-fA-F]{2})*')"
        value = f"CASE WHEN {hexadecimal} THEN unhex(substr({{x}}, 3)) ELSE TRY_CAST({{x}} AS BLOB) END"
        return Cast(value, _MISSING)
    return Cast(value, _MISSING)


def _loses_digits(decimal: tuple[int, int]) -> str:
    """Whether text has more digits after its point than a DECIMAL keeps, other than zeros."""
    scale = decimal[1]
    quick = f"strpos({{x}}, '.') = 0 OR strlen({{x}}) - strpos({{x}}, '.') <= {scale}"
    plain = rf"regexp_full_match({{x}}, '\s*[+-]?[0-9]*(\.[0-9]{{0,{scale}}}0*)?\s*')"
    return (
        f"NOT (({quick}) AND NOT regexp_matches({{x}}, '[eE]')) AND NOT {plain} "
        f"AND NOT coalesce(regexp_matches({{x}}, '[eE]') AND {_is_exact(min(scale + 10, 38))}, false)"
    )


def _is_exact(places: int) -> str:
    """Whether text with an exponent has at most so many places (1.5e-1 has two), and is the cast value."""
    fraction = r"strlen(regexp_extract({x}, '\.([0-9]*)[eE]', 1))"
    exponent = r"TRY_CAST(regexp_extract({x}, '[eE]([+-]?[0-9]+)', 1) AS INTEGER)"
    return f"{fraction} - {exponent} <= {places} AND TRY_CAST({{x}} AS DECIMAL(38,{places})) = {{v}}"


def _guessed(target: str) -> Cast:
    """Text to a type inferred from a sample. The cheap tests for what the sample did not show: they
    refuse too much rather than too little, because then all of the file is looked at."""
    value = f"TRY_CAST({{x}} AS {target})"
    if target == "BIGINT":
        return Cast(value, f"{_MISSING} OR CAST({{v}} AS VARCHAR) <> {{x}}")  # 007, 12e4, 1_000
    if target == "DOUBLE":
        return Cast(value, f"{_MISSING} OR strlen({{x}}) > 19 OR isinf({{v}}) OR contains({{x}}, '_')")
    if target == "DATE":
        return Cast(value, f"{_MISSING} OR strlen({{x}}) <> 10")
    return _from_text(target)

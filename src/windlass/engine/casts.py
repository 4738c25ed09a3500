"""Casts between types, each with the test that tells which values it would change.

Nothing changes silently: a value that the target type cannot hold exactly is a bad row, so DuckDB's
own cast, which rounds `1.5` to the integer 2 and cuts the time off a timestamp, is never enough. One rule
for all: what comes back from the target type is what was there before. Between types of the same kind it is
looked at by casting back; types of different kinds meet in their text; and of text, what it says is compared with
what the value says. Each test is written so that the common value passes its cheapest part. The table of all pairs
is in docs/reference/types.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from windlass.connectors.json_digits import has_nan, other_digits
from windlass.connectors.rows import Reason, Trust, is_nested

__all__ = ["ZONED", "Cast", "cast", "zoned_text_to_utc"]

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
_FLOATS = {  # digits that each surely keeps, those that tell each value from all others, and the last one with all of them
    "FLOAT": (6, 9, "1.2e-38"),
    "DOUBLE": (15, 17, "2.3e-308"),
}
_TIMESTAMPS = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
_EXACT_IN_DOUBLE = 2**53
ZONED = "TIMESTAMP WITH TIME ZONE"


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

    loses: str | None = None
    """SQL like `bad`, for values that the type would keep as a value nearby."""

    def value_of(self, x: str) -> str:
        return self.value.replace("{x}", x)

    def faults(self, x: str, v: str) -> list[tuple[str, Reason]]:
        """What can be wrong with a value, as SQL, and the reason."""
        tests = (
            (self.out_of_range, Reason.OUT_OF_RANGE),
            (self.bad, self.reason),
            (self.loses, Reason.LOSES_PRECISION),
        )
        return [(test.replace("{x}", x).replace("{v}", v), reason) for test, reason in tests if test]


def cast(source: str, target: str, trust: Trust = "declared") -> Cast:
    """How to cast DuckDB type `source` to `target`.

    `target` was `declared`; or `known` to fit, because every value was looked at; or is a guess from
    what was `sampled`, and then even another way of writing the same value (`007`) does not fit; or whoever reads
    has `tested` it.
    """
    if source == target:
        return Cast("{x}")
    if trust == "known":
        return Cast(f"CAST({{x}} AS {target})")
    if trust == "tested":
        return Cast(f"TRY_CAST({{x}} AS {target})")
    if target == "VARCHAR":
        return _to_text(source)
    if source in ("VARCHAR", "JSON"):
        return replace(_guessed(target), out_of_range=None) if trust == "sampled" else _from_text(target)
    if target == "JSON" and any(name in source for name in _FLOATS):
        return Cast("CAST({x} AS JSON)", has_nan("CAST({v} AS VARCHAR)"), Reason.OUT_OF_RANGE)
    if source == "BLOB" and target not in ("UUID", "JSON"):  # as text, the byte 0x46 would be F: false
        return Cast(f"CAST(NULL AS {target})", "{x} IS NOT NULL")
    if _kind(source) != _kind(target) and not _always_fits(source, target):
        return _by_text(target)
    if source in _INTEGERS or source == "BOOLEAN":
        return _from_integer(source, target)
    if target in _FLOATS and _decimal(source):
        return _to_float(target, "CAST({x} AS VARCHAR)")
    return _by_round_trip(source, target)


def zoned_text_to_utc(trust: Trust) -> Cast:
    """Text of a time with a zone to a TIMESTAMP that is of UTC, as the session is."""
    read = cast("VARCHAR", ZONED, trust)
    return replace(read, value=f"CAST({read.value} AS TIMESTAMP)")


def _kind(name: str) -> str:
    """Types of the same kind are cast as values, and not by their text."""
    if name in _INTEGERS or name in _FLOATS or name == "BOOLEAN" or _decimal(name):
        return "number"
    if name == "DATE" or name in _TIMESTAMPS:
        return "moment"
    if name in ("UUID", "BLOB"):
        return "bytes"
    if is_nested(name):
        return "nested"
    return "time" if name.startswith("TIME") else name


def _by_text(target: str) -> Cast:
    """The cast from the text of a value that is of another kind."""
    cast = _from_text(target)
    text = "CAST({x} AS VARCHAR)"
    parts = (
        part and part.replace("{x}", text) for part in (cast.value, cast.bad, cast.out_of_range, cast.loses)
    )
    value, bad, out_of_range, loses = parts
    assert value is not None
    return Cast(value, bad, cast.reason, out_of_range, loses)


def _to_text(source: str) -> Cast:
    if is_nested(source):
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
_TIME_OF_DAY = r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?"
_ZONE = r"(Z|[+-]\d{1,2}(:?\d{2}){0,2})?"
_TOO_FINE = r"contains({x}, '.') AND regexp_matches({x}, '\.\d{6}\d*[1-9]')"


def _from_text(target: str) -> Cast:
    """Text to a type that was declared: any way of writing the value will do, but not another value."""
    value = f"TRY_CAST({{x}} AS {target})"
    if target in _INTEGERS:
        if target.startswith("U"):  # where DuckDB takes `-0`, but not with a space behind it
            value = f"TRY_CAST(rtrim({{x}}, E' \\t\\n\\f\\r') AS {target})"
        other = r"NOT regexp_full_match({x}, '\s*[+-]?[0-9]+\s*')"
        return Cast(
            value, f"{_MISSING} OR (CAST({{v}} AS VARCHAR) <> {{x}} AND {other})", out_of_range=_TOO_LARGE
        )
    if (digits := _decimal(target)) is not None:
        return Cast(value, _MISSING, out_of_range=_TOO_LARGE, loses=_loses_digits(digits))
    if target in _FLOATS:
        return _to_float(target, "{x}")
    if target == "JSON":
        return Cast(f"CASE WHEN {has_nan('{x}')} THEN NULL ELSE TRY_CAST({{x}} AS JSON) END", _MISSING)
    if target == "BLOB":
        # Postgres's and DuckDB's text forms of bytes: \x6869 and \x68\x69
        hexadecimal = r"regexp_full_match({x}, '\\x([0-9a-fA-F]{2})*')"
        value = f"CASE WHEN {hexadecimal} THEN unhex(substr({{x}}, 3)) ELSE TRY_CAST({{x}} AS BLOB) END"
        return Cast(value, _MISSING)
    if is_nested(target):
        return Cast(value, _MISSING, loses="replace(CAST({v} AS VARCHAR), ' ', '') <> replace({x}, ' ', '')")
    return _text_to_time(target)


def _text_to_time(target: str) -> Cast:
    """Text to a date, a time or a span of time; and to all types whose text has but one meaning."""
    value = f"TRY_CAST({{x}} AS {target})"
    if target == "DATE":
        return Cast(value, f"{_MISSING} OR (strlen({{x}}) <> 10 AND NOT regexp_full_match({{x}}, '{_DATE}'))")
    if target == "TIMESTAMP":
        return Cast(value, f"{_MISSING} OR (strlen({{x}}) <> 19 AND {_is_other(_NAIVE_TIME)})")
    if target in ("TIMESTAMP_S", "TIMESTAMP_MS"):
        loses = "CAST({v} AS TIMESTAMP) IS DISTINCT FROM TRY_CAST({x} AS TIMESTAMP)"
        return Cast(value, f"{_MISSING} OR {_is_other(_NAIVE_TIME)}", loses=loses)
    if target in ("TIMESTAMP_NS", "TIME_NS"):
        finer = (_NAIVE_TIME if target == "TIMESTAMP_NS" else _TIME_OF_DAY).replace("1,6", "1,9")
        return Cast(value, f"{_MISSING} OR {_is_other(finer)}")
    if target == "TIMESTAMP WITH TIME ZONE":
        return Cast(value, _MISSING, loses=_TOO_FINE)
    if target == "TIME":
        return Cast(value, f"{_MISSING} OR {_is_other(_TIME_OF_DAY)}")
    if target == "TIME WITH TIME ZONE":
        return Cast(value, f"{_MISSING} OR {_is_other(_TIME_OF_DAY + _ZONE)}")
    if (
        target == "INTERVAL"
    ):  # Postgres writes `-1 mons +2 days`; DuckDB leaves out a zone, and has no bounds for a number
        no_span = r"regexp_matches({x}, ':.*[+-]') OR regexp_full_match({x}, '[\s0-9.eE+-]*')"
        value = f"CASE WHEN NOT ({no_span}) THEN TRY_CAST(replace({{x}}, '+', '') AS INTERVAL) END"
        return Cast(value, _MISSING, loses=_TOO_FINE)
    if target == "BIT":
        return Cast(value, f"{_MISSING} OR CAST({{v}} AS VARCHAR) <> {{x}}")
    return Cast(value, _MISSING)


def _is_other(pattern: str) -> str:
    return f"NOT regexp_full_match({{x}}, '{pattern}')"


def _to_float(target: str, text: str) -> Cast:
    """A number, given by its text, to a binary one: its digits are those of the shortest text of that, or of the long
    one that other programs write."""
    surely, all_digits, smallest = _FLOATS[target]
    value = f"TRY_CAST({text} AS {target})"
    short, long = "CAST({v} AS VARCHAR)", f"format('{{:.{all_digits}g}}', {{v}})"
    other = f"CASE WHEN {other_digits(text, short)} THEN {other_digits(text, long)} ELSE false END"
    return Cast(
        value,
        _MISSING,
        out_of_range=f"isinf({{v}}) AND NOT contains(lower({text}), 'inf')",
        loses=f"CASE WHEN strlen({text}) > {surely} OR abs({{v}}) < {smallest} THEN {other} ELSE false END",
    )


def _loses_digits(decimal: tuple[int, int]) -> str:
    """Whether text has digits, other than zeros, that a DECIMAL does not keep."""
    text = "CAST({v} AS VARCHAR)"
    short = f"strpos({{x}}, '.') = 0 OR strlen({{x}}) - strpos({{x}}, '.') <= {decimal[1]}"
    surely_kept = f"({short}) AND NOT regexp_matches({{x}}, '[eE]')"
    return f"CASE WHEN {{x}} = {text} THEN false WHEN {surely_kept} THEN false ELSE {other_digits('{x}', text)} END"


def _guessed(target: str) -> Cast:
    """Text to a type inferred from a sample. The cheap tests for what the sample did not show: they
    refuse too much rather than too little, because then all of the file is looked at."""
    value = f"TRY_CAST({{x}} AS {target})"
    if target == "BIGINT":
        return Cast(value, f"{_MISSING} OR CAST({{v}} AS VARCHAR) <> {{x}}")  # 007, 12e4, 1_000
    if target == "DOUBLE":
        other = other_digits("{x}", "CAST({v} AS VARCHAR)")
        # digits that are those of the number have no `_` between them
        other = (
            f"CASE WHEN {{x}} = CAST({{v}} AS VARCHAR) THEN false ELSE contains({{x}}, '_') OR {other} END"
        )
        is_long = "strlen({x}) > 15 OR abs({v}) < 2.3e-308"
        rounded = f"CASE WHEN {is_long} THEN {other} ELSE contains({{x}}, '_') END"
        return Cast(value, f"{_MISSING} OR isinf({{v}}) OR ({rounded})")
    if target == "DATE":
        return Cast(value, f"{_MISSING} OR strlen({{x}}) <> 10")
    return _from_text(target)

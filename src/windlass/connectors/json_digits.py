"""Numbers in JSON text that JSON, or DuckDB's, does not keep.

DuckDB's JSON keeps integers of any size, but reads every other number as a double, and writes that.
"""

from __future__ import annotations

__all__ = ["MANY_DIGITS", "has_nan", "loses_digits", "other_digits"]

MANY_DIGITS = "'[0-9][0-9.]{15,}|[0-9][eE]-[0-9]{3}'"
"""A regular expression, as SQL, for text that may have such numbers; the cheap look."""

_DIGITS = r"""trim(regexp_replace(regexp_replace({x}, '[eE].*', ''), '[^0-9]', '', 'g'), '0')"""
_STRING = r"""'"(\\.|[^"\\])*"'"""
_NO_INTEGER = r"'-?[0-9]+(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)'"


def loses_digits(json: str) -> str:
    """SQL that is true for JSON text with a number, no integer, that has other digits after it was a double."""
    numbers = f"regexp_extract_all(regexp_replace({json}, {_STRING}, '\"\"', 'g'), {_NO_INTEGER})"
    as_double = "CAST(CAST(x AS DOUBLE) AS VARCHAR)"
    differs = other_digits("x", as_double)
    lost = f"len(list_filter({numbers}, lambda x: NOT isinf(CAST(x AS DOUBLE)) AND {differs})) > 0"
    return f"CASE WHEN regexp_matches({json}, {MANY_DIGITS}) THEN {lost} ELSE false END"


def other_digits(one: str, other: str) -> str:
    """SQL that is true for two numbers, as text, that have not the same digits, wherever the point is.

    Most texts are the same. Only a CASE keeps DuckDB from looking at the digits of all of them.
    """
    digits, others = _DIGITS.replace("{x}", one), _DIGITS.replace("{x}", other)
    return f"CASE WHEN {one} = {other} THEN false ELSE {digits} <> {others} END"


def has_nan(json: str) -> str:
    """SQL that is true for JSON text that JSON does not have: with NaN or an infinity in it."""
    lower = f"lower({json})"
    outside = f"regexp_replace({json}, {_STRING}, '\"\"', 'g')"
    may_have = (
        f"contains({lower}, 'nan') OR contains({lower}, 'inf')"  # much cheaper than a regular expression
    )
    return f"CASE WHEN {may_have} THEN regexp_matches({outside}, '(?i)nan|inf') ELSE false END"

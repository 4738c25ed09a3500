"""Conversions that the source server does, in the query that is copied out of: SQL for the value, and
SQL that is true where the value cannot be converted without becoming another one.

The test is general: the value's text is valid input for the other type, and reading it there and casting
it back gives the value again. So `1.5` does not become an integer, nor a time a date. The sessions are in
UTC, so a time without a zone is taken as UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.protocol import Reason
from windlass.connectors.scratch import literal
from windlass.plan.model import ColumnRules

__all__ = ["Fault", "convert", "is_too_large", "rule_faults"]

Fault = tuple[str, Reason, str]
"""SQL that is true for a bad value, the reason, and what to say of it."""

_TEXT = ("text", "varchar", "bpchar", "name")
_INTEGERS = ("smallint", "integer", "bigint")
_WITHOUT_EQUALITY = (
    "json",
    "xml",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
)  # or with an odd one
_WIDER = {
    "smallint": ("integer", "bigint", "numeric", "real", "double precision"),
    "integer": ("bigint", "numeric", "double precision"),
    "bigint": ("numeric",),
    "real": ("double precision",),
    "date": ("timestamp without time zone",),
    "character varying": ("text",),
    "json": ("text",),
    "jsonb": ("text", "json"),
}


def convert(value: str, column: PgColumn, target: str) -> tuple[str, Fault | None]:
    """SQL for the value of `column` as type `target`, and its fault. Types as `format_type` writes them."""
    if target == column.type:
        return value, None
    if target == "text" or target in _WIDER.get(re.sub(r"\(.*\)", "", column.type), ()):
        return f"{value}::{target}", None
    if (length := re.fullmatch(r"character varying(?:\((\d+)\))?", target)) and column.base in _TEXT:
        if length[1] is None:
            return f"{value}::{target}", None
        too_long = f"length({value}) > {length[1]}"
        return f"{value}::{target}", (too_long, Reason.TOO_LONG, f"is longer than {length[1]} characters")
    valid = f"pg_input_is_valid({value}::text, {literal(target)})"
    same = f"({value}::text::{target})::text::{column.type} IS NOT DISTINCT FROM {value}"
    if column.base in _WITHOUT_EQUALITY or column.type_kind == "c":
        same = f"({value}::text::{target})::text::{column.type}::text = {value}::text"
    if (column.base, target) == ("json", "jsonb"):
        same = f"{value} IS JSON WITH UNIQUE KEYS"  # all else that jsonb changes says the same
    if (column.base, target) == ("float8", "real"):
        same = f"{value}::real = {value}"
    if column.base in _TEXT:
        exact = f"{value}::numeric = {value}::{target}" if target.startswith("numeric(") else "true"
        same = f"({exact})"
    fits = f"CASE WHEN {valid} THEN {same} ELSE false END"
    fault = (f"{value} IS NOT NULL AND NOT ({fits})", Reason.TYPE_MISMATCH, f"does not fit {target}")
    return f"CASE WHEN {fits} THEN {value}::text::{target} END", fault


def is_too_large(value: str, target: str) -> bool:
    """Whether a value that does not fit would be of the type, if that held more."""
    if target in _INTEGERS:
        return re.fullmatch(r"\s*[+-]?\d+(\.0*)?\s*", value) is not None
    number = re.fullmatch(r"\s*[+-]?0*(\d*)(\.\d*)?\s*", value)
    limits = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", target)
    if number is None or limits is None:
        return False
    return len(number[1]) > int(limits[1]) - int(limits[2])


def rule_faults(value: str, kind: str, rules: ColumnRules) -> Iterator[Fault]:
    """The faults of a value that breaks a rule of `validate`."""
    if rules.not_null:
        yield f"{value} IS NULL", Reason.IS_NULL, "is NULL"
    if rules.min is not None:
        yield f"{value} < {literal(rules.min)}::{kind}", Reason.BELOW_MINIMUM, f"is less than {rules.min!r}"
    if rules.max is not None:
        yield f"{value} > {literal(rules.max)}::{kind}", Reason.ABOVE_MAXIMUM, f"is more than {rules.max!r}"
    if rules.accepted is not None:
        accepted = ", ".join(f"{literal(v)}::{kind}" for v in rules.accepted)
        test = f"{value} NOT IN ({accepted})" if accepted else f"{value} IS NOT NULL"
        yield test, Reason.NOT_ACCEPTED, "is none of the accepted values"
    if rules.pattern is not None:
        test = f"{value}::text !~ {literal(rules.pattern)}"
        yield test, Reason.PATTERN_MISMATCH, f"does not match {rules.pattern!r}"
    if rules.max_length is not None:
        test = f"length({value}::text) > {rules.max_length}"
        yield test, Reason.TOO_LONG, f"is longer than {rules.max_length} characters"

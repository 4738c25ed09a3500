"""Conversions that the source server does, in the query that is copied out of: SQL for the value, and
SQL that is true where the value cannot be converted without becoming another one.

The test is general: the value's text is valid input for the other type, and that keeps the value as it is: cast back,
it is the same again, or for another kind of type its text is (`exact.py`). So `1.5` does not become an integer, nor a time a date. The sessions are in
UTC, so a time without a zone is taken as UTC.
"""

from __future__ import annotations

import re

from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.postgres.exact import base_of, keeps
from windlass.connectors.rows import Column, Reason
from windlass.connectors.rules import Family, Kind, Rule, decimal_kind, kind_of, rules_for
from windlass.connectors.scratch import literal
from windlass.plan.model import ColumnRules

__all__ = ["INPUT_IS_VALID", "Fault", "convert", "is_too_large", "rule_faults"]

Fault = tuple[str, Reason, str]
"""SQL that is true for a bad value, the reason, and what to say of it."""

_TEXT = ("text", "varchar", "bpchar", "name")
_INTEGERS = ("smallint", "integer", "bigint")
_KINDS = (
    ("int2", "int4", "int8", "float4", "float8", "numeric"),
    ("date", "timestamp", "timestamptz"),
    ("time", "timetz"),
    ("interval",),
    ("bit", "varbit"),
)
INPUT_IS_VALID = 16  # the first version that has pg_input_is_valid()
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


def convert(value: str, column: PgColumn, target: str) -> tuple[str, list[Fault]]:
    """SQL for the value of `column` as type `target`, and its faults. Types as `format_type` writes them."""
    if target == column.type:
        return value, []
    own = _unlimited(column.stored)
    if target in ("text", own) or target in _WIDER.get(own, ()):
        return f"{value}::{target}", []
    if (length := re.fullmatch(r"character varying(?:\((\d+)\))?", target)) and column.base in _TEXT:
        if length[1] is None:
            return f"{value}::{target}", []
        too_long = f"length({value}) > {length[1]}"
        return f"{value}::{target}", [(too_long, Reason.TOO_LONG, f"is longer than {length[1]} characters")]
    valid = f"pg_input_is_valid({value}::text, {literal(target)})"
    same = _is_same(value, column, target)
    what = f"does not fit {target}"
    faults = [(f"{value} IS NOT NULL AND NOT {valid}", Reason.TYPE_MISMATCH, what)]
    fits = valid
    if same is not None:
        fits = f"CASE WHEN {valid} THEN {same} ELSE false END"
        lost = f"CASE WHEN {valid} THEN NOT ({same}) ELSE false END"
        faults.append((f"{value} IS NOT NULL AND {lost}", Reason.LOSES_PRECISION, what))
    return f"CASE WHEN {fits} THEN {value}::text::{target} END", faults


def _is_same(value: str, column: PgColumn, target: str) -> str | None:
    """SQL that is true for a value that the other type keeps as it is, if it can read it. None: for all values.

    Types of one kind are cast back; others meet in their text.
    """
    base = base_of(target)
    if (column.base, base) == ("float8", "float4"):
        return f"{value}::real = {value}"
    there = f"({value}::text::{target})"
    if any(column.base in kind and base in kind for kind in _KINDS):
        own = "text" if column.base in ("bit", "varbit") else _unlimited(column.stored)
        back = f"{there}::text::{own} IS NOT DISTINCT FROM {value}::{own}"
        return f"CASE WHEN pg_input_is_valid({there}::text, {literal(own)}) THEN {back} ELSE false END"
    kept = keeps(base, INPUT_IS_VALID)
    return kept and kept.replace("{x}", f"{value}::text").replace("{v}", there)


def is_too_large(value: str, target: str) -> bool:
    """Whether a value that does not fit would be of the type, if that held more."""
    if target in _INTEGERS:
        return re.fullmatch(r"\s*[+-]?\d+(\.0*)?\s*", value) is not None
    number = re.fullmatch(r"\s*[+-]?0*(\d*)(\.\d*)?\s*", value)
    limits = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", target)
    if number is None or limits is None:
        return False
    return len(number[1]) > int(limits[1]) - int(limits[2])


def rule_faults(
    value: str, kind: str, rules: ColumnRules, column: str, *, is_utf8: bool
) -> list[Fault] | None:
    """The faults of a value of that type, as `format_type` writes it, that breaks a rule of `validate`.

    None where Postgres would say something else than the scratch database: it has other regular expressions,
    and other text for most types.
    """
    known = _kind_of(kind)
    if known is None:
        return [] if rules == ColumnRules() else None
    faults: list[Fault] = []
    for rule in rules_for(rules, column, known):
        test = _rule_test(rule, value, known, kind)
        if test is None or (known.family is Family.TEXT and rule.test in _BY_CHARACTERS and not is_utf8):
            return None
        faults.append((test, rule.reason, rule.message))
    return faults


def _rule_test(rule: Rule, value: str, known: Kind, kind: str) -> str | None:
    if rule.test == "null":
        return f"{value} IS NULL"
    if rule.test == "any":
        return f"{value} IS NOT NULL"
    kind = kind if known.family is Family.DECIMAL else _unlimited(kind)
    operands = [f"{literal(operand)}::{kind}" for operand in rule.operands]
    if known.family is Family.TEXT:  # by code points, which in UTF-8 is by bytes
        value, operands = f'({value})::text COLLATE "C"', [literal(operand) for operand in rule.operands]
    match rule.test:
        case "below":
            return f"{value} < {operands[0]}"
        case "above":
            return f"{value} > {operands[0]}"
        case "other":
            return f"{value} NOT IN ({', '.join(operands)})"
        case "longer" if known.family is Family.TEXT:
            return f"length({value}) > {rule.operands[0]}"
        case _:
            return None


def _kind_of(kind: str) -> Kind | None:
    """The kind of a type of Postgres; None for one whose values the scratch database may see otherwise."""
    if (found := re.fullmatch(r"numeric\((\d+),(\d+)\)", kind)) is not None:
        return decimal_kind(int(found[1]), int(found[2]))
    name = _unlimited(kind)
    if name == "numeric":
        return Kind(Family.NUMBER)
    return kind_of(Column("", _DUCKDB_TYPES[name])) if name in _DUCKDB_TYPES else None


def _unlimited(kind: str) -> str:
    """`timestamp without time zone` for `timestamp(3) without time zone`."""
    return re.sub(r"\(-?\d+(,-?\d+)?\)", "", kind)


_BY_CHARACTERS = ("below", "above", "longer")
_DUCKDB_TYPES = {
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "text": "VARCHAR",
    "character varying": "VARCHAR",
    "character": "VARCHAR",
    "name": "VARCHAR",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time without time zone": "TIME",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "uuid": "UUID",
}

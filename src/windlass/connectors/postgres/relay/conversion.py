"""Conversions that the source server does, in the query that is copied out of: SQL for the value, and
SQL that is true where the value cannot be converted without becoming another one.

The test is general: the value's text is valid input for the other type, and reading it there and casting
it back gives the value again. So `1.5` does not become an integer, nor a time a date. The sessions are in
UTC, so a time without a zone is taken as UTC.
"""

from __future__ import annotations

import re

from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.rows import Column, Reason
from windlass.connectors.rules import Family, Kind, Rule, decimal_kind, kind_of, rules_for
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
    return re.sub(r"\(\d+\)", "", kind)


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

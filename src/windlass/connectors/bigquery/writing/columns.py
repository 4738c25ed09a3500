"""What a column of a table asks of values, how they wait in the stage, and how they come from there into the table.

A value waits as text where the Storage Write interface, or Arrow, has no such type: it becomes one by SQL, within the
transaction that commits the load. What that could not make a value of is found before (`Judged`), and quarantined.
"""

from __future__ import annotations

import re
from typing import Literal

from windlass.connectors.bigquery.fields import Field
from windlass.connectors.bigquery.sql import literal, name
from windlass.connectors.rows import Column
from windlass.connectors.scratch import literal as duckdb_literal

__all__ = ["as_text", "as_wanted", "comparable", "from_stage", "is_judged", "waiting"]

_SAME = {
    "BOOL": "BOOLEAN",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "JSON": "JSON",
}
_DAYS = ("0001-01-01", "9999-12-31")
_LAST_MOMENT = "9999-12-31 23:59:59.999999"
_MOST_DIGITS = 38  # of a DECIMAL in DuckDB
_BIG = r"\s*[+-]?0*(\d{1,38}(\.\d{0,38}0*)?|\.\d{1,38}0*)\s*"
"""Text of a number that BIGNUMERIC keeps exactly."""


def as_wanted(field: Field, *, empties_arrays: bool = False) -> Column:
    """The column as rows must bring it."""
    kind = _wanted_type(field)
    times = kind.startswith(("DATE", "TIMESTAMP"))
    return Column(
        field.name,
        kind,
        nullable=not field.required,
        native=field.sql(),
        max_length=field.max_length if kind == "VARCHAR" else None,
        pattern=_BIG if field.type == "BIGNUMERIC" and kind == "VARCHAR" else None,
        carries="number" if field.type == "BIGNUMERIC" and kind == "VARCHAR" else _other(field),
        finite=times,
        earliest=_DAYS[0] if times else None,
        latest="23:59:59.999999" if kind == "TIME" else _latest(kind) if times else None,
        rounds_json=kind == "JSON",
        loses=_loses(field, empties_arrays=empties_arrays),
        required=field.required and not field.has_default,
        has_default=field.has_default,
    )


def _other(field: Field) -> Literal["", "other"]:
    return "other" if field.type in ("GEOGRAPHY", "INTERVAL", "RANGE") and not field.repeated else ""


def _latest(kind: str) -> str:
    return _DAYS[1] if kind == "DATE" else _LAST_MOMENT + ("+00" if kind.endswith("ZONE") else "")


def _wanted_type(field: Field) -> str:
    if field.is_nested:
        return "JSON"
    if field.digits is not None and field.digits[0] <= _MOST_DIGITS:
        return f"DECIMAL({field.digits[0]},{field.digits[1]})"
    return _SAME.get(field.type, "VARCHAR")


def _loses(field: Field, *, empties_arrays: bool) -> str | None:
    """SQL of DuckDB for a value that would become another one."""
    if field.is_nested:
        absent = "" if empties_arrays or not field.repeated else "{v} IS NULL OR "
        return f"({absent}({{v}} IS NOT NULL AND ({_unfit(field, '{v}')})))"
    if field.type == "BYTES" and field.max_length is not None:
        return f"octet_length({{v}}) > {field.max_length}"
    return None


# --- nested values, as JSON --------------------------------------------------------------------------

_NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_TEXTS = {  # of scalars within: what their text has to match
    "INT64": r"-?[0-9]+",
    "NUMERIC": r"-?[0-9]+(\.[0-9]{1,9}0*)?",
    "BIGNUMERIC": r"-?[0-9]{1,38}(\.[0-9]{1,38}0*)?",
    "FLOAT64": _NUMBER,
    "BOOL": "true|false",
    "DATE": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "TIME": r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?",
    "DATETIME": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?",
    "TIMESTAMP": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)",
}


def _unfit(field: Field, v: str) -> str:
    """SQL of DuckDB that is true for JSON that is there and is not a value of the field."""
    if field.repeated:
        item = _unfit(field.item, "x")
        bad = f"len(list_filter(CAST({v} AS JSON[]), lambda x: x IS NULL OR json_type(x) = 'NULL' OR {item})) > 0"
        return f"CASE WHEN json_type({v}) <> 'ARRAY' THEN true ELSE {bad} END"
    if field.type == "RECORD":
        known = ", ".join(duckdb_literal(each.name) for each in field.fields)
        faults = [f"len(list_filter(json_keys({v}), lambda k: k NOT IN ({known}))) > 0"]
        for each in field.fields:
            inner = f"json_extract({v}, {duckdb_literal(_path(each.name))})"
            missing = f"{inner} IS NULL OR json_type({inner}) = 'NULL'"
            absent = "true" if each.repeated or each.required else "false"
            faults.append(f"CASE WHEN {missing} THEN {absent} ELSE {_unfit(each, inner)} END")
        return f"CASE WHEN json_type({v}) <> 'OBJECT' THEN true ELSE {' OR '.join(faults)} END"
    return _unfit_scalar(field, v)


def _unfit_scalar(field: Field, v: str) -> str:
    text = f"json_extract_string({v}, '$')"
    nests = f"json_type({v}) IN ('OBJECT', 'ARRAY')"
    if field.type == "STRING":
        too_long = f" OR length({text}) > {field.max_length}" if field.max_length is not None else ""
        return f"json_type({v}) <> 'VARCHAR'{too_long}"
    if field.type not in _TEXTS:
        return "true"
    kind = "BOOLEAN" if field.type == "BOOL" else _wanted_type(field)
    matches = f"regexp_full_match({text}, {duckdb_literal(_TEXTS[field.type])})"
    is_other = f"TRY_CAST({text} AS {kind}) IS NULL"
    return f"({nests} OR NOT {matches} OR {is_other})"


def _path(member: str) -> str:
    return f"$.{member}" if re.fullmatch(r"[A-Za-z_]\w*", member) else f'$."{member}"'


def _rebuilt(field: Field, v: str, depth: int = 0) -> str:
    """SQL of BigQuery that makes the value of its JSON, which is text."""
    if field.repeated:
        item, place = f"item_{depth}", f"place_{depth}"
        value = _rebuilt(field.item, item, depth + 1)
        return f"ARRAY(SELECT {value} FROM UNNEST(JSON_QUERY_ARRAY({v})) AS {item} WITH OFFSET AS {place} ORDER BY {place})"
    if field.type == "RECORD":
        members = (f"{_rebuilt(each, _member(each, v), depth)} AS {name(each.name)}" for each in field.fields)
        return f"IF({v} IS NULL OR {v} = 'null', NULL, STRUCT({', '.join(members)}))"
    text = f"JSON_VALUE({v}, '$')"
    return text if field.type == "STRING" else f"CAST({text} AS {field.type})"


def _member(field: Field, v: str) -> str:
    return f"JSON_QUERY({v}, {literal(_path(field.name))})"


# --- the stage ----------------------------------------------------------------------------------------


def as_text(field: Field) -> bool:
    """Whether values wait as text."""
    return field.is_nested or field.type == "JSON" or field.type not in (*_SAME, "NUMERIC")


def waiting(field: Field) -> Field:
    """The column of the stage."""
    return Field(name=field.name, type="STRING" if as_text(field) else field.type)


def is_judged(field: Field) -> bool:
    """Whether only BigQuery can say if text is a value."""
    return not field.is_nested and field.type in ("JSON", "GEOGRAPHY", "INTERVAL", "RANGE")


def from_stage(field: Field, *, safe: bool = False) -> str:
    """SQL of BigQuery for the value of a column in the stage; `safe` gives NULL for what is not such a value."""
    v, prefix = name(field.name), "SAFE." if safe else ""
    if field.is_nested:
        return _rebuilt(field, v)
    if field.type == "JSON":
        return f"{prefix}PARSE_JSON({v})"
    if field.type == "GEOGRAPHY":
        return f"{prefix}ST_GEOGFROM({v})"
    if field.type in ("BIGNUMERIC", "INTERVAL", "RANGE"):
        return f"{'SAFE_' if safe else ''}CAST({v} AS {field.sql() if field.type == 'RANGE' else field.type})"
    return v


def comparable(field: Field, v: str) -> str:
    """SQL of BigQuery for what is the same for the same values."""
    if field.type == "GEOGRAPHY" and not field.repeated:
        return f"ST_ASBINARY({v})"
    return f"TO_JSON_STRING({v})" if field.is_nested or field.type in ("JSON", "RANGE") else v

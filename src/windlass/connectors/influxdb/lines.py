"""Line protocol: `measurement,tag=value field=1i,other="text" 1556813561098000000`.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/. Rows become lines in the scratch database, by SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from windlass.connectors.rows import Column
from windlass.connectors.scratch import identifier, literal

__all__ = ["HUGE", "INTEGERS", "UNITS", "field", "identity", "joined", "line", "moment", "nanoseconds"]

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
"""How many nanoseconds each unit has."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IN_MEASUREMENT = (",", " ")
_IN_NAME = (",", "=", " ")  # of tags and fields, and in the values of tags
_IN_TEXT = ("\\", '"')

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
"""The types of the scratch database that a whole number with a sign holds."""

HUGE = ("UBIGINT", "HUGEINT", "UHUGEINT")
"""Those of which it holds some values only."""


def line(
    measurement: str,
    tags: Mapping[str, str],
    fields: Mapping[str, str | int | float | bool],
    nanoseconds: int,
) -> bytes:
    """One point.

    >>> line("a b", {"c,d": "e=f"}, {"n": 1, "ok": True, "s": 'x"'}, 5)
    b'a\\\\ b,c\\\\,d=e\\\\=f n=1i,ok=true,s="x\\\\"" 5\\n'
    """
    key = "".join(
        f",{_escaped(name, _IN_NAME)}={_escaped(value, _IN_NAME)}" for name, value in sorted(tags.items())
    )
    values = ",".join(f"{_escaped(name, _IN_NAME)}={_value(value)}" for name, value in fields.items())
    return f"{_escaped(measurement, _IN_MEASUREMENT)}{key} {values} {nanoseconds}\n".encode()


def nanoseconds(moment: datetime) -> int:
    """A time as line protocol has it."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * UNITS["us"]


def _value(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{_escaped(value, _IN_TEXT)}"'
    return f"{value}i" if isinstance(value, int) else repr(value)


def _escaped(text: str, signs: Sequence[str]) -> str:
    for sign in signs:
        text = text.replace(sign, f"\\{sign}")
    return text


# --- the same as SQL of the scratch database ----------------------------------------------------------


def identity(measurement: str, tags: Sequence[Column]) -> str:
    """SQL for measurement and tags, as a line begins."""
    parts = [literal(_escaped(measurement, _IN_MEASUREMENT))]
    for tag in sorted(tags, key=lambda column: column.name):
        value = _escaped_sql(f"CAST({identifier(tag.name)} AS VARCHAR)", _IN_NAME)
        parts.append(f"coalesce({literal(f',{_escaped(tag.name, _IN_NAME)}=')} || {value}, '')")
    return " || ".join(parts)


def joined(fields: Sequence[Column]) -> str:
    """SQL for the fields of a line; empty where all are NULL."""
    return f"concat_ws(',', {', '.join(map(field, fields))})" if fields else "''"


def field(column: Column) -> str:
    """SQL for one field; NULL where it has no value."""
    value = f"CAST({identifier(column.name)} AS VARCHAR)"
    if column.type in INTEGERS:
        said = f"{value} || 'i'"
    elif column.type == "UBIGINT":
        said = f"{value} || 'u'"
    elif column.type in ("DOUBLE", "BOOLEAN"):
        said = value
    elif column.type == "TIMESTAMP WITH TIME ZONE":  # the scratch database is in UTC
        said = _text(f"regexp_replace(replace({value}, ' ', 'T'), '\\+00$', 'Z')")
    elif column.type.startswith("TIMESTAMP"):
        said = _text(f"replace({value}, ' ', 'T')")
    else:
        said = _text(_escaped_sql(value, _IN_TEXT))
    return f"{literal(f'{_escaped(column.name, _IN_NAME)}=')} || {said}"


def moment(column: Column, precision: str) -> str:
    """SQL for the time of a point, as text of a whole number in that precision."""
    value = identifier(column.name)
    if column.type == "BIGINT":
        return f"CAST({value} AS VARCHAR)"
    since = f"epoch_ns({value})" if column.type == "TIMESTAMP_NS" else f"epoch_us({value})"
    unit = UNITS[precision] if column.type == "TIMESTAMP_NS" else UNITS[precision] // 1000
    if unit == 0:
        return f"CAST(CAST({since} AS HUGEINT) * 1000 AS VARCHAR)"
    return f"CAST({since} // {unit} AS VARCHAR)"


def _text(value: str) -> str:
    return f"""'"' || {value} || '"'"""


def _escaped_sql(value: str, signs: Sequence[str]) -> str:
    for sign in signs:
        value = f"replace({value}, {literal(sign)}, {literal(chr(92) + sign)})"
    return value

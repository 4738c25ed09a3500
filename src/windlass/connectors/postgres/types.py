"""Postgres types and DuckDB types: how a column is read, what a column asks for, what a new one becomes.

The table of all pairs, with what is exact, widened or refused, is in docs/reference/types.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.rows import Column
from windlass.connectors.scratch import identifier, literal

if TYPE_CHECKING:
    from windlass.connectors.postgres.wire.decode import Field

__all__ = ["as_read", "as_wanted", "encoder_of", "new_type", "read_field", "storable"]

_SAME = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "bytea": "BLOB",
    "text": "VARCHAR",
    "varchar": "VARCHAR",
    "bpchar": "VARCHAR",
    "name": "VARCHAR",
}
_NEW = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "UTINYINT": "smallint",
    "SMALLINT": "smallint",
    "USMALLINT": "integer",
    "INTEGER": "integer",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "BLOB": "bytea",
    "UUID": "uuid",
    "JSON": "jsonb",
    "VARCHAR": "text",
}
_STORED_AS = {
    "TINYINT": "SMALLINT",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "TIME_NS": "TIME",
}
_FROM_ONE = r"^(\[1:\d+\])+$"
_AS_JSON = re.compile(r"(STRUCT|MAP|UNION)\(|.*\]$|VARIANT$", re.DOTALL)
_MAX_PRECISION = 38  # of a DECIMAL in Arrow, Parquet and DuckDB

_NUMBER = r"(?i)\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*|\s*(nan|[+-]?inf(inity)?)\s*"


# --- reading -------------------------------------------------------------------------------------


def as_read(column: PgColumn) -> Column:
    """The column as `read_field` delivers it."""
    guess = None
    kind = _SAME.get(column.base) if column.type_kind in "bd" else None
    if column.base == "numeric" and _fits_decimal(column):
        guess = f"DECIMAL({column.precision},{column.scale})"
    elif column.base == "uuid":
        guess = "UUID"
    elif column.base in ("json", "jsonb") or column.type.endswith("[]"):
        guess = "JSON"
    wanted = kind or "VARCHAR"
    return Column(
        column.name,
        wanted,
        native=column.type,
        max_length=column.length,
        carries="" if guess else _carried(column, wanted),
        guess=guess,
        trust="declared",
    )


def read_field(column: PgColumn) -> Field:
    """How the column travels to Arrow: as text where Arrow has no such type."""
    from windlass.connectors.postgres.wire.decode import WIDTHS, Field

    name = identifier(column.name)
    if column.type.endswith("[]"):
        # JSON has no place for bounds other than 1: such an array stays as it is, which is not JSON
        odd = f"array_dims({name}) !~ {literal(_FROM_ONE)}"
        return Field(column.name, f"CASE WHEN {odd} THEN {name}::text ELSE to_json({name})::text END", "text")
    if column.type_kind == "b" and (column.base in WIDTHS or column.base in ("text", "bytea")):
        return Field(column.name, name, column.base, column.not_null)
    if column.type_kind == "d" and column.base in _SAME:
        kind = column.base if column.base in WIDTHS or column.base == "bytea" else "text"
        return Field(column.name, f"{name}::{column.base}" if kind == column.base else f"{name}::text", kind)
    return Field(column.name, f"{name}::text", "text")


def _fits_decimal(column: PgColumn) -> bool:
    if column.precision is None or column.scale is None:
        return False
    return column.precision <= _MAX_PRECISION and 0 <= column.scale <= column.precision


# --- writing -------------------------------------------------------------------------------------


def as_wanted(column: PgColumn) -> Column:
    """The column as rows must bring it."""
    kind = _wanted_type(column)
    return Column(
        column.name,
        kind,
        carries=_carried(column, kind),
        nullable=not column.not_null,
        native=column.type,
        max_length=column.length,
        pattern=_NUMBER if column.base == "numeric" and not _fits_decimal(column) else None,
        earliest=_earliest(kind),
        loses=_lost_fraction(column.stored) if kind.startswith("TIME") else None,
        required=column.not_null and not (column.has_default or column.identity or column.generated),
        has_default=column.has_default or column.identity,
        generated=column.generated,
    )


def _lost_fraction(kind: str) -> str | None:
    """SQL for a time with more digits than a type such as `timestamp(3) without time zone` keeps."""
    found = re.match(r"(?:time|timestamp)\((\d)\) with", kind)
    return f"date_part('microseconds', {{v}}) % {10 ** (6 - int(found[1]))} <> 0" if found else None


def _carried(column: PgColumn, kind: str) -> Literal["", "number", "other"]:
    if kind != "VARCHAR" or _SAME.get(column.base) == "VARCHAR" or column.type_kind == "e":
        return ""
    if column.base == "numeric" and column.type_kind in "bd":
        return "number"
    return "" if column.base == "citext" else "other"


def _wanted_type(column: PgColumn) -> str:
    if column.base == "numeric":
        return f"DECIMAL({column.precision},{column.scale})" if _fits_decimal(column) else "VARCHAR"
    others = {"uuid": "UUID", "json": "JSON", "jsonb": "JSON"}
    return _SAME.get(column.base) or others.get(column.base, "VARCHAR")


def encoder_of(column: PgColumn, *, careful: bool) -> str | None:
    """The name of the encoder for a column; None for text that the server casts after it has arrived.

    That of `jsonb` is for documents that it surely keeps (`wire/jsonb.py`); others arrive as text, too.

    `careful` is for loads that quarantine bad rows: what only the server can judge is judged there row
    by row, and not in the COPY, which one bad value ends.
    """
    judged_by_server = column.type_kind == "e" or column.base in ("json", "xml")
    if column.base.startswith("_") or column.type_kind not in "bde" or (careful and judged_by_server):
        return None
    if column.base == "numeric":
        if column.precision is not None and not _fits_decimal(column):
            return None  # it would be rounded
        return "decimal" if _fits_decimal(column) else "numeric"
    if column.base == "name":
        return None
    if _SAME.get(column.base) == "VARCHAR" or column.type_kind == "e" or column.base == "xml":
        return "text"
    return column.base if column.base in _SAME or column.base in ("uuid", "json", "jsonb") else None


def storable(column: Column) -> Column:
    """The column of a new table that keeps this one's values."""
    if column.type == "INTERVAL":  # Postgres itself reads all ways of writing one
        return Column(column.name, "VARCHAR", native="interval", carries="other")
    kind = "JSON" if _AS_JSON.match(column.type) else _STORED_AS.get(column.type, column.type)
    if kind not in _NEW and not kind.startswith("DECIMAL"):
        kind = "VARCHAR"
    return Column(column.name, kind, native=new_type(kind), earliest=_earliest(kind))


def _earliest(kind: str) -> str | None:
    return "4714-11-24 (BC)" if kind.startswith(("DATE", "TIMESTAMP")) else None


def new_type(kind: str) -> str:
    """The Postgres type of a new column for a DuckDB type that `storable` returned."""
    return kind.replace("DECIMAL", "numeric") if kind.startswith("DECIMAL") else _NEW[kind]

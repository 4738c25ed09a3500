"""SQLite types and DuckDB types: SQLite itself has an affinity a column, and any value in it."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from windlass.connectors.json_digits import other_digits
from windlass.connectors.rows import Column

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_wanted", "declared_type", "storable", "stored_values"]

_STORED_AS = {
    "FLOAT": "DOUBLE",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
}
_DECLARED = {  # what SQLite has no affinity for is text, and says what it means in front of TEXT
    "BOOLEAN": "BOOLEAN",
    "DOUBLE": "REAL",
    "BLOB": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP_NS": "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "JSON": "JSON TEXT",
    "VARCHAR": "TEXT",
}
_LAST = {"DATE": "9999-12-31", "TIME": "23:59:59.999999"}
_KEPT_AS_IS = re.compile(r"(U?(TINY|SMALL)INT|U?INTEGER|BIGINT|DECIMAL\(.*\)|TIMESTAMP.*)")


def declared_type(text: str) -> str:
    """The DuckDB type that a column's declared type stands for (SQLite itself only has an affinity).

    https://www.sqlite.org/datatype3.html, "Determination Of Column Affinity", and common type names.
    """
    name = text.upper().strip()
    if decimal := re.match(r"(?:DECIMAL|NUMERIC)(?: TEXT)?\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", name):
        return f"DECIMAL({decimal[1]},{decimal[2] or 0})" if int(decimal[1]) <= 38 else "VARCHAR"
    for pattern, kind in _BY_PATTERN:
        if re.match(pattern, name):
            return kind
    return "VARCHAR"


_BY_PATTERN = (
    (r"BOOL", "BOOLEAN"),
    (r"TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"),
    (r"TIMESTAMP_NS", "TIMESTAMP_NS"),
    (r"DATETIME|TIMESTAMP", "TIMESTAMP"),
    (r"DATE", "DATE"),
    (r"TIME", "TIME"),
    (r"JSON", "JSON"),
    (r".*INT", "BIGINT"),
    (r".*(CHAR|CLOB|TEXT)", "VARCHAR"),
    (r".*BLOB", "BLOB"),
    (r".*(REAL|FLOA|DOUB)", "DOUBLE"),
)


def storable(column: Column) -> Column:
    """The column of a new table that keeps this one's values."""
    kind = _STORED_AS.get(column.type, column.type)
    if kind not in _DECLARED and not _KEPT_AS_IS.fullmatch(kind):
        kind = "VARCHAR"
    return replace(column, type=kind, native=_definition(kind), **_limits(kind))


def as_wanted(column: sqlite3.Row) -> Column:
    """The column as rows must bring it."""
    kind = declared_type(column["type"])
    is_rowid = column["pk"] == 1 and column["type"].upper() == "INTEGER"
    return Column(
        column["name"],
        kind,
        nullable=not column["notnull"],
        native=column["type"],
        **_limits(kind),
        loses=_LOST_AS_NUMBER if _is_numeric(column["type"], kind) else None,
        has_default=column["dflt_value"] is not None or is_rowid,
        required=bool(column["notnull"]) and column["dflt_value"] is None and not is_rowid,
        generated=column["hidden"] in (2, 3),
    )


_TEXT, _DOUBLE = "CAST({v} AS VARCHAR)", "TRY_CAST(CAST({v} AS VARCHAR) AS DOUBLE)"
_LOST_AS_NUMBER = (
    rf"regexp_full_match({_TEXT}, '\s*[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*') AND "
    f"CAST(TRY_CAST({_TEXT} AS BIGINT) AS VARCHAR) IS DISTINCT FROM {_TEXT} AND (isinf({_DOUBLE}) OR "
    f"(strlen({_TEXT}) > 15 OR abs({_DOUBLE}) < 2.3e-308) AND {other_digits(_TEXT, f'CAST({_DOUBLE} AS VARCHAR)')})"
)
"""SQL for text that SQLite would keep as the nearest double."""


def _is_numeric(declared: str, kind: str) -> bool:
    """Whether SQLite makes a number of text that looks like one, where text, or a decimal as text, is meant."""
    return (kind == "VARCHAR" or kind.startswith("DECIMAL")) and not re.search(
        "CHAR|CLOB|TEXT|BLOB|^$", declared.upper().strip()
    )


def _limits(kind: str) -> dict[str, Any]:
    """What SQLite would store as something else: NaN is NULL, and dates are of the years 0 to 9999."""
    if kind == "TIMESTAMP_NS":  # has fewer years than that
        return {"finite": True}
    if kind.startswith(("DATE", "TIMESTAMP")):
        return {
            "finite": True,
            "earliest": "0001-01-01 (BC)",
            "latest": _LAST.get(kind, "9999-12-31 23:59:59.999999"),
        }
    return {"forbids_nan": kind == "DOUBLE", "latest": _LAST.get(kind)}


def _definition(kind: str) -> str:
    """The declared type of a new column."""
    if kind in _DECLARED:
        return _DECLARED[kind]
    if kind.startswith("DECIMAL"):
        return kind.replace("DECIMAL", "DECIMAL TEXT")
    return "TIMESTAMP" if kind.startswith("TIMESTAMP") else "INTEGER"


def stored_values(column: pa.Array) -> list[Any]:
    """The values of a column as SQLite stores them: exact, and times in ISO 8601."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        column = column.cast(pa.string())
        if kind.unit in ("ms", "us", "ns"):
            column = pc.replace_substring_regex(column, r"\.?0+(Z?)$", r"\1")  # a fraction of zeros
    elif pa.types.is_date(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values

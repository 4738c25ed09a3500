"""The columns of a SELECT: how each is asked for, so that it says its value exactly, and what it is here.

Times are asked for as text: they have up to seven digits behind the point, and Python's own have six.
https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from windlass.connectors.mssql.names import quoted
from windlass.connectors.rows import Column
from windlass.connectors.sql.selecting import Selected

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["array", "selected"]

_NUMBERS = {
    "bit": ("BOOLEAN", "bool"),
    "tinyint": ("UTINYINT", "uint8"),
    "smallint": ("SMALLINT", "int16"),
    "int": ("INTEGER", "int32"),
    "bigint": ("BIGINT", "int64"),
    "real": ("FLOAT", "float"),
    "float": ("DOUBLE", "double"),
}
_MONEY = {"money": (19, 4), "smallmoney": (10, 4)}
_WITHOUT_SPACE = (
    "REPLACE(REPLACE({t}, ' +', '+'), ' -', '-')"  # in front of the offset, where others have none
)
_TIMES = {  # by its type: the form as text, what it is here, whether it is a moment
    "date": ("CONVERT(char(10), {c}, 23)", "DATE", True),
    "smalldatetime": ("CONVERT(varchar(23), {c}, 121)", "TIMESTAMP", True),
    "datetime": ("CONVERT(varchar(23), {c}, 121)", "TIMESTAMP", True),
    "datetime2": ("CONVERT(varchar(27), {c}, 121)", "TIMESTAMP", True),
    "datetimeoffset": (
        _WITHOUT_SPACE.replace("{t}", "CONVERT(varchar(34), {c}, 121)"),
        "TIMESTAMP WITH TIME ZONE",
        True,
    ),
    "time": ("CONVERT(varchar(16), {c}, 121)", "TIME", False),
}
_AS_TEXT = {  # also types of before 2005, which travel in another way
    "uniqueidentifier": ("CONVERT(char(36), {c})", "UUID"),
    "json": ("CONVERT(nvarchar(max), {c})", "JSON"),
    "xml": ("CONVERT(nvarchar(max), {c})", None),
    "text": ("CONVERT(varchar(max), {c})", None),
    "ntext": ("CONVERT(nvarchar(max), {c})", None),
}
_TEXTS = ("char", "varchar", "nchar", "nvarchar", "sysname")
_BYTES = ("binary", "varbinary", "timestamp", "rowversion")
_REFUSED = {
    "geometry": "ask for {c}.STAsText() or {c}.STAsBinary() in a `query`, or leave it out with `select`",
    "geography": "ask for {c}.STAsText() or {c}.STAsBinary() in a `query`, or leave it out with `select`",
    "hierarchyid": "ask for {c}.ToString() in a `query`, or leave it out with `select`",
}
_CAST_IT = "cast it in a `query`, such as CAST({c} AS nvarchar(max)), or leave it out with `select`"


def selected(name: str, kind: str) -> Selected:
    """A column by what the server calls its type: `decimal(12,2)`, `datetime2(7)`, `nvarchar(max)`."""
    import pyarrow as pa

    base, column = kind.partition("(")[0].strip().lower(), quoted(name)
    if base in _NUMBERS:
        duck, arrow = _NUMBERS[base]
        return Selected(Column(name, duck, native=kind), column, pa.type_for_alias(arrow))
    if base in ("decimal", "numeric") or base in _MONEY:
        precision, scale = _MONEY.get(base) or _digits(kind)
        duck = f"DECIMAL({precision},{scale})"
        return Selected(Column(name, duck, native=kind), column, pa.decimal128(precision, scale))
    if base in _TIMES:
        form, guess, is_time = _TIMES[base]
        asked = f"{form.replace('{c}', column)} AS {column}"
        return Selected(_text(name, kind, guess), asked, pa.string(), is_time=is_time)
    if base in _AS_TEXT:
        form, other = _AS_TEXT[base]
        return Selected(_text(name, kind, other), f"{form.replace('{c}', column)} AS {column}", pa.string())
    if base in _TEXTS:
        return Selected(Column(name, "VARCHAR", native=kind), column, pa.string())
    if base == "image":
        return Selected(
            Column(name, "BLOB", native=kind), f"CONVERT(varbinary(max), {column}) AS {column}", pa.binary()
        )
    if base in _BYTES:
        return Selected(Column(name, "BLOB", native=kind), column, pa.binary())
    why = _REFUSED.get(base.rpartition(".")[2], _CAST_IT).replace("{c}", column)
    return Selected(Column(name, "BLOB", native=kind), column, pa.binary(), refusal=why)


def array(column: Selected, values: Sequence[Any]) -> pa.Array:
    """The values as the driver gives them, as an array."""
    import pyarrow as pa

    return pa.array(values, column.arrow)


def _text(name: str, kind: str, guess: str | None) -> Column:
    return Column(name, "VARCHAR", native=kind, guess=guess, trust="declared" if guess else "known")


def _digits(kind: str) -> tuple[int, int]:
    precision, *scale = map(int, re.findall(r"\d+", kind))
    return precision, scale[0] if scale else 0

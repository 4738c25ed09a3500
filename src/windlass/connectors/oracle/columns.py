"""The columns of a SELECT: how each is asked for, so that it says its value exactly, and what it is here.

A NUMBER without a precision has up to 40 digits, wherever the point is, so it is asked for as text. So are times, which reach from
the year -4712 to 9999 and have up to nine digits behind the point.
https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/Data-Types.html
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from windlass.connectors.oracle.names import quoted
from windlass.connectors.rows import Column
from windlass.connectors.sql.selecting import Selected

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["digits_of", "narrowed", "selected", "stored"]

_MOST_DIGITS = 38
_DIGITS = "'TM9', 'NLS_NUMERIC_CHARACTERS=''.,'''"
_SECONDS, _FRACTIONS = "YYYY-MM-DD HH24:MI:SS", "YYYY-MM-DD HH24:MI:SS.FF9"
_TIMES = {  # type of the driver: its form as text, and what it is here
    "DB_TYPE_DATE": (f"TO_CHAR({{c}}, '{_SECONDS}')", "TIMESTAMP"),
    "DB_TYPE_TIMESTAMP": (f"TO_CHAR({{c}}, '{_FRACTIONS}')", "TIMESTAMP"),
    "DB_TYPE_TIMESTAMP_TZ": (
        f"TO_CHAR(SYS_EXTRACT_UTC({{c}}), '{_FRACTIONS}') || '+00:00'",
        "TIMESTAMP WITH TIME ZONE",
    ),
    "DB_TYPE_TIMESTAMP_LTZ": (
        f"TO_CHAR(SYS_EXTRACT_UTC({{c}}), '{_FRACTIONS}') || '+00:00'",
        "TIMESTAMP WITH TIME ZONE",
    ),
}
_BEFORE_CHRIST = "CASE WHEN {c} < DATE '0001-01-01' THEN ' (BC)' END"
_PLAIN = {
    "DB_TYPE_BINARY_FLOAT": ("FLOAT", "float"),
    "DB_TYPE_BINARY_DOUBLE": ("DOUBLE", "double"),
    "DB_TYPE_BOOLEAN": ("BOOLEAN", "bool"),
    "DB_TYPE_BINARY_INTEGER": ("BIGINT", "int64"),
    **dict.fromkeys(
        (
            "DB_TYPE_CHAR",
            "DB_TYPE_NCHAR",
            "DB_TYPE_VARCHAR",
            "DB_TYPE_NVARCHAR",
            "DB_TYPE_LONG",
            "DB_TYPE_LONG_NVARCHAR",
        ),
        ("VARCHAR", "large_string"),
    ),
    **dict.fromkeys(
        ("DB_TYPE_ROWID", "DB_TYPE_UROWID", "DB_TYPE_CLOB", "DB_TYPE_NCLOB"), ("VARCHAR", "large_string")
    ),
    **dict.fromkeys(("DB_TYPE_RAW", "DB_TYPE_LONG_RAW", "DB_TYPE_BLOB"), ("BLOB", "large_binary")),
}
_AS_TEXT = {
    "DB_TYPE_JSON": ("JSON_SERIALIZE({c} RETURNING CLOB)", "JSON", ""),
    "DB_TYPE_XMLTYPE": ("XMLSERIALIZE(CONTENT {c} AS CLOB)", None, ""),
    "DB_TYPE_INTERVAL_DS": ("TO_CHAR({c})", None, "other"),
    "DB_TYPE_INTERVAL_YM": ("TO_CHAR({c})", None, "other"),
}
_CAST_IT = "ask for a text of it in a `query`, or leave it out with `select`"


def selected(field: Any) -> Selected:
    """A column by the driver's description of it."""
    import pyarrow as pa

    name, kind, column = field.name, field.type_code.name, quoted(field.name)
    if kind == "DB_TYPE_NUMBER":
        return _number(field)
    if kind in _PLAIN:
        duck, arrow = _PLAIN[kind]
        return Selected(Column(name, duck, native=kind), column, pa.type_for_alias(arrow))
    if kind in _TIMES:
        form, guess = _TIMES[kind]
        asked = f"{form} || {_BEFORE_CHRIST} AS {{c}}".replace("{c}", column)
        described = Column(name, "VARCHAR", native=kind, guess=guess, trust="declared")
        return Selected(described, asked, pa.large_string(), is_time=True)
    if kind in _AS_TEXT:
        form, other, carries = _AS_TEXT[kind]
        described = Column(name, "VARCHAR", native=kind, guess=other, carries=carries, trust="declared")  # type: ignore[arg-type]
        return Selected(described, f"{form.replace('{c}', column)} AS {column}", pa.large_string())
    return Selected(
        Column(name, "BLOB", native=kind.removeprefix("DB_TYPE_")),
        column,
        pa.large_binary(),
        refusal=_CAST_IT,
    )


def _number(field: Any) -> Selected:
    """NUMBER(p,s); without a precision, or with a scale that a DECIMAL has not, as text."""
    import pyarrow as pa

    name, column = field.name, quoted(field.name)
    precision, scale = field.precision or 0, field.scale or 0
    if not 0 <= scale <= precision or precision == 0:
        described = Column(name, "VARCHAR", native="NUMBER", carries="number")
        return Selected(described, f"TO_CHAR({column}, {_DIGITS}) AS {column}", pa.large_string())
    native = f"NUMBER({precision},{scale})"
    if scale == 0 and precision <= 18:
        return Selected(Column(name, "BIGINT", native=native), column, pa.int64())
    described = Column(name, f"DECIMAL({precision},{scale})", native=native)
    return Selected(described, column, pa.decimal128(precision, scale))


def digits_of(column: Selected) -> list[str]:
    """SQL, to stand after SELECT, for the most digits behind the point that the numbers of the column have, and for the
    largest of them."""
    name = quoted(column.column.name)
    fraction = f"(ABS({name}) - TRUNC(ABS({name})))"
    length = (
        f"CASE WHEN {fraction} = 0 THEN 0 WHEN {fraction} < 1E-{_MOST_DIGITS} THEN 99 "
        f"ELSE LENGTH(TO_CHAR({fraction}, {_DIGITS})) - 1 END"
    )
    return [f"MAX({length})", f"TO_CHAR(MAX(TRUNC(ABS({name}))), {_DIGITS})"]


def narrowed(column: Selected, most_behind: int | None, largest: str | None) -> Selected:
    """The column with the type that its numbers have, by what `digits_of` has found; still read as text."""
    if most_behind is None or largest is None:  # there is no number
        return column
    before = len(f"{Decimal(largest):f}".lstrip("0"))
    if most_behind == 0 and before <= 18:
        kind = "BIGINT"
    elif before + most_behind <= _MOST_DIGITS:
        kind = f"DECIMAL({max(before + most_behind, 1)},{most_behind})"
    else:
        return column
    return replace(column, column=replace(column.column, guess=kind, carries="", trust="declared"))


def stored(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """An array of the driver's in the type that was asked for; what would be another value is an error of Arrow."""
    return array if array.type == kind else array.cast(kind)

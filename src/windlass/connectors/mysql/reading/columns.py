"""The columns of a SELECT: how each is asked for, so that its text says the value exactly, and what it is here.

Over the wire a FLOAT is rounded to 6 digits and a BIT is bytes: both are asked for as numbers. Dates and times travel as
text: there are some that no calendar has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from windlass.connectors.mysql.names import quoted
from windlass.connectors.rows import Column
from windlass.errors import FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Selected", "require_known", "selected"]

_TINY, _SHORT, _LONG, _FLOAT, _DOUBLE, _NULL, _TIMESTAMP, _LONGLONG, _INT24 = 1, 2, 3, 4, 5, 6, 7, 8, 9
_DATE, _TIME, _DATETIME, _YEAR, _NEWDATE, _BIT, _JSON, _DECIMAL, _NEWDECIMAL = (
    10,
    11,
    12,
    13,
    14,
    16,
    245,
    0,
    246,
)
_VECTOR, _GEOMETRY = 242, 255
_UNSIGNED, _BINARY_CHARSET = 32, 63
_MOST_DIGITS = 38
_INTEGERS = {
    _TINY: ("TINYINT", "UTINYINT"),
    _SHORT: ("SMALLINT", "USMALLINT"),
    _INT24: ("INTEGER", "UINTEGER"),
    _LONG: ("INTEGER", "UINTEGER"),
    _LONGLONG: ("BIGINT", "UBIGINT"),
    _YEAR: ("SMALLINT", "SMALLINT"),
}
_ARROW = {
    "TINYINT": "int8",
    "SMALLINT": "int16",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "UTINYINT": "uint8",
    "USMALLINT": "uint16",
    "UINTEGER": "uint32",
    "UBIGINT": "uint64",
    "FLOAT": "float",
    "DOUBLE": "double",
    "BOOLEAN": "bool",
    "VARCHAR": "string",
    "BLOB": "binary",
}
_TIMES = {
    _DATE: "DATE",
    _NEWDATE: "DATE",
    _DATETIME: "TIMESTAMP",
    _TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
    _TIME: "TIME",
}


@dataclass(frozen=True)
class Selected:
    """One column: `sql` is what stands for it after SELECT."""

    column: Column
    sql: str
    may_be_boolean: bool = False
    """A TINYINT(1), which is what MySQL has for a BOOLEAN, and has other numbers, too."""

    has_dates: bool = False
    is_geometry: bool = False

    def arrow(self) -> pa.DataType:
        """The type of its arrays."""
        import pyarrow as pa

        kind = self.column.type
        if kind.startswith("DECIMAL("):
            precision, scale = map(int, kind[8:-1].split(","))
            return pa.decimal128(precision, scale)
        return pa.type_for_alias(_ARROW[kind])

    def array(self, values: Sequence[Any]) -> pa.Array:
        """The values as the driver gives them, as an array."""
        import pyarrow as pa

        kind = self.arrow()
        if pa.types.is_decimal(kind):
            return pa.array(values, pa.string()).cast(kind)
        if pa.types.is_boolean(kind):
            return pa.array([None if value is None else value != 0 for value in values], kind)
        return pa.array(values, kind)


def selected(field: Any, *, is_json: bool, null_for_zero_dates: bool) -> Selected:
    """A column by what the server says of it."""
    name, code = field.name, field.type_code
    sql = quoted(name)
    if code in _INTEGERS:
        kind = _INTEGERS[code][bool(field.flags & _UNSIGNED)]
        return Selected(Column(name, kind), sql, may_be_boolean=code == _TINY and field.length == 1)
    if code == _BIT:
        kind = "BOOLEAN" if field.length == 1 else "UBIGINT"
        return Selected(Column(name, kind), f"{sql} + 0 AS {sql}")
    if code in _TIMES:
        guess, has_dates = _TIMES[code], code != _TIME
        if has_dates and null_for_zero_dates:
            sql = f"IF(MONTH({sql}) = 0 OR DAYOFMONTH({sql}) = 0, NULL, {sql}) AS {sql}"
        return Selected(Column(name, "VARCHAR", guess=guess, trust="declared"), sql, has_dates=has_dates)
    if code == _FLOAT:
        return Selected(Column(name, "FLOAT"), f"{sql} + 0e0 AS {sql}")
    if code in (_DECIMAL, _NEWDECIMAL):
        return Selected(_decimal(field), sql)
    return _other(field, sql, is_json=is_json)


def _decimal(field: Any) -> Column:
    """Its length is that of its text, with a sign where it may have one, and with a point."""
    signed = 0 if field.flags & _UNSIGNED else 1
    precision = field.length - signed - (1 if field.scale else 0)
    if precision > _MOST_DIGITS:
        return Column(field.name, "VARCHAR", carries="number")
    return Column(field.name, f"DECIMAL({max(precision, field.scale, 1)},{field.scale})")


def _other(field: Any, sql: str, *, is_json: bool) -> Selected:
    name, code = field.name, field.type_code
    if code == _DOUBLE:
        return Selected(Column(name, "DOUBLE"), sql)
    if code == _JSON or is_json:
        return Selected(Column(name, "VARCHAR", guess="JSON", trust="declared"), sql)
    if code in (_GEOMETRY, _VECTOR):
        return Selected(Column(name, "BLOB"), sql, is_geometry=True)
    if code == _NULL or field.charsetnr != _BINARY_CHARSET:
        return Selected(Column(name, "VARCHAR"), sql)
    return Selected(Column(name, "BLOB"), sql)


def require_known(columns: Sequence[Selected], name: str, wanted: Callable[[str], bool]) -> None:
    """Raise FatalError for a column whose values have no form that others know."""
    for each in columns:
        if each.is_geometry and wanted(each.column.name):
            raise FatalError(
                f"{name}: column {each.column.name!r} has geometries or vectors, which have a form of MySQL's own",
                hint="leave it out with `select`, or ask for ST_AsText(…) or ST_AsBinary(…) in a `query`",
            )

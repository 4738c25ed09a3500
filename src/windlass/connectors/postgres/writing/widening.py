"""The type that a column of a table gets when its source's values have outgrown it."""

from __future__ import annotations

import re
from dataclasses import replace

from windlass.connectors.postgres.catalog import PgColumn
from windlass.connectors.postgres.types import as_wanted, new_type, storable
from windlass.connectors.rows import Column
from windlass.connectors.widening import common_type, is_exact_number

__all__ = ["wider_column"]

_NAMES = {  # of new types: as `format_type` writes them, and as the catalog calls them
    "smallint": ("smallint", "int2"),
    "integer": ("integer", "int4"),
    "bigint": ("bigint", "int8"),
    "numeric": ("numeric", "numeric"),
    "double precision": ("double precision", "float8"),
    "timestamp": ("timestamp without time zone", "timestamp"),
}
_OF_TIME = re.compile(r"(time|timestamp)(?:\((\d)\))? (with(?:out)? time zone)")


def wider_column(column: PgColumn, values: Column) -> PgColumn | None:
    """The column with a type that holds all that it holds now, and each of these values, too; None where it needs no
    other type, or no type is that.

    A type of one's own is left alone: what else it asks of a value would be lost.
    """
    if column.type_kind != "b" or column.generated or column.type == values.native:
        return None
    if column.base == "varchar":
        return _longer(column, values)
    if (fine := _OF_TIME.fullmatch(column.type)) is not None and fine[2]:
        return _finer(column, values, fine)
    native = _wider_type(column, values)
    return None if native is None or native == column.type else _retyped(column, native)


def _wider_type(column: PgColumn, values: Column) -> str | None:
    """The type, if need be `numeric`, which holds every number that is written in digits."""
    wanted = as_wanted(column)
    if wanted.carries == "number":  # more digits than others know of
        return "numeric" if values.native == "numeric" else None
    if is_exact_number(wanted.type) and values.carries == "number":
        return "numeric"
    kind = common_type(wanted.type, values.type)
    if kind is not None:
        return column.type if kind == wanted.type else new_type(storable(Column("", kind)).type)
    return "numeric" if is_exact_number(wanted.type) and is_exact_number(values.type) else None


def _retyped(column: PgColumn, native: str) -> PgColumn:
    if (found := re.fullmatch(r"numeric\((\d+),(\d+)\)", native)) is not None:
        numeric = replace(column, type=native, stored=native, base="numeric")
        return replace(numeric, precision=int(found[1]), scale=int(found[2]))
    name, base = _NAMES[native]
    return replace(column, type=name, stored=name, base=base, precision=None, scale=None)


def _longer(column: PgColumn, values: Column) -> PgColumn | None:
    if column.length is None or values.type != "VARCHAR" or values.carries:
        return None
    if values.max_length is None:
        return replace(column, type="character varying", stored="character varying", length=None)
    if values.max_length <= column.length:
        return None
    name = f"character varying({values.max_length})"
    return replace(column, type=name, stored=name, length=values.max_length)


def _finer(column: PgColumn, values: Column, fine: re.Match[str]) -> PgColumn | None:
    """The same type of times with as many digits of a second as the values have."""
    if values.type != as_wanted(column).type:
        return None
    of_values = _OF_TIME.fullmatch(values.native)
    digits = int(of_values[2]) if of_values and of_values[2] else 6
    if digits <= int(fine[2]):
        return None
    name = f"{fine[1]}({digits}) {fine[3]}" if digits < 6 else f"{fine[1]} {fine[3]}"
    return replace(column, type=name, stored=name)

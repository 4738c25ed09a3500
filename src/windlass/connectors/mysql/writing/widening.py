"""The type that a column of a table gets when its source's values have outgrown it."""

from __future__ import annotations

import re
from dataclasses import replace

from windlass.connectors.mysql.catalog import Definition
from windlass.connectors.mysql.writing.types import as_wanted, native_of
from windlass.connectors.rows import Column
from windlass.connectors.widening import common_type

__all__ = ["wider_definition"]

_SMALLER = ("TINYINT", "UTINYINT", "SMALLINT", "USMALLINT")
"""Numbers that a MEDIUMINT has all of, signed or not."""

_NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float")
_LONGEST = 16_000  # characters of a VARCHAR of four bytes each, in a row of 65,535 bytes
_OCTETS_OF_LONGTEXT = (1 << 32) - 1


def wider_definition(column: Definition, values: Column) -> Definition | None:
    """The column with a type that holds all that it holds now, and each of these values, too; None where it needs no
    other type, or no type is that.
    """
    if column.generated or column.is_json:
        return None
    if column.base == "varchar":
        return _longer(column, values)
    if column.base == "datetime":
        is_finer = (column.fraction or 0) < 6 and values.type in ("TIMESTAMP", "TIMESTAMP_NS")
        return _retyped(column, "DATETIME(6)") if is_finer else None
    if column.base not in (*_NUMBERS, "date") or _has_a_limit_of_its_own(column):
        return None
    wanted = as_wanted(column, is_boolean=False, rounds_json=False).type
    kind = common_type(wanted, values.type)
    if kind is None or (kind == wanted and (column.base != "mediumint" or values.type in _SMALLER)):
        return None
    return _retyped(column, native_of(kind))


def _has_a_limit_of_its_own(column: Definition) -> bool:
    """Whether it refuses numbers that its type has: those below zero, or digits behind the point."""
    if column.base == "decimal":
        return column.unsigned
    return column.base == "float" and (column.unsigned or column.scale is not None)


def _longer(column: Definition, values: Column) -> Definition | None:
    if values.type != "VARCHAR" or values.carries:
        return None
    longest = values.max_length
    if longest is not None and longest <= (column.characters or 0):
        return None
    if longest is None or longest > _LONGEST:
        return replace(column, kind="longtext", base="longtext", characters=None, octets=_OCTETS_OF_LONGTEXT)
    return replace(column, kind=f"varchar({longest})", characters=longest, octets=longest * 4)


def _retyped(column: Definition, native: str) -> Definition:
    kind = native.lower()
    digits = [int(each) for each in re.findall(r"\d+", kind)]
    base = kind.partition(" ")[0].partition("(")[0]
    precision, scale = digits if base == "decimal" else (None, None)
    return replace(
        column,
        kind=kind,
        base=base,
        precision=precision,
        scale=scale,
        fraction=digits[0] if base == "datetime" else None,
    )

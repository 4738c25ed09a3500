"""What the columns of a table can keep, so that no row is sent which the server would keep as another one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from windlass.connectors.mysql.catalog import Definition
from windlass.connectors.rows import Column, is_decimal, is_nested
from windlass.connectors.scratch import literal

__all__ = ["as_wanted", "may_be_boolean", "native_of", "refusal", "storable"]

_LONGEST_KEY = 3072  # bytes of an index of InnoDB; 4 for a character
_MOST_DIGITS, _MOST_SCALE = 38, 30
_NEW = {
    "BOOLEAN": "BOOLEAN",
    "TINYINT": "TINYINT",
    "SMALLINT": "SMALLINT",
    "INTEGER": "INT",
    "BIGINT": "BIGINT",
    "UTINYINT": "TINYINT UNSIGNED",
    "USMALLINT": "SMALLINT UNSIGNED",
    "UINTEGER": "INT UNSIGNED",
    "UBIGINT": "BIGINT UNSIGNED",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "BLOB": "LONGBLOB",
    "DATE": "DATE",
    "TIMESTAMP": "DATETIME(6)",
    "JSON": "JSON",
    "VARCHAR": "LONGTEXT",
}
_STORED_AS = {
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",  # a TIMESTAMP of MySQL ends in 2038, so such a time is kept in UTC
}
_INTEGERS = {
    "tinyint": ("TINYINT", "UTINYINT"),
    "smallint": ("SMALLINT", "USMALLINT"),
    "mediumint": ("INTEGER", "UINTEGER"),
    "int": ("INTEGER", "UINTEGER"),
    "bigint": ("BIGINT", "UBIGINT"),
}
_MEDIUM = {"mediumint": (-(1 << 23), (1 << 23) - 1), "mediumint unsigned": (0, (1 << 24) - 1)}
_REFUSED = (
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "geomcollection", "vector", "inet4", "inet6"),
)
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
_ALL_CHARACTERS = ("utf8mb4", "utf16", "utf16le", "utf32", None)
_BEYOND_TWO_BYTES = r"[\x{10000}-\x{10FFFF}]"
_TWO_BYTES = ("utf8", "utf8mb3", "ucs2")
_CODECS = {  # character sets of one byte, and what Python calls them
    "latin1": "cp1252",  # https://dev.mysql.com/doc/refman/8.4/en/charset-we-sets.html
    "latin2": "iso8859_2",
    "latin5": "iso8859_9",
    "latin7": "iso8859_13",
    "greek": "iso8859_7",
    "hebrew": "iso8859_8",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1256": "cp1256",
    "cp1257": "cp1257",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp866": "cp866",
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
    "ascii": "ascii",
}


def storable(column: Column, *, is_key: bool, keys: int, exact: str, rounds_json: bool) -> Column:
    """The column of a new table that keeps this one's values. `exact` is the collation of keys, in which only the same
    text is the same.
    """
    kind = _stored_as(column.type)
    if kind == "VARCHAR" and is_key:
        longest = _LONGEST_KEY // 4 // keys
        native = f"VARCHAR({longest}) CHARACTER SET utf8mb4 COLLATE {exact}"
        return replace(column, type=kind, native=native, max_length=longest)
    if column.type == "UUID":
        native = f"CHAR(36) CHARACTER SET utf8mb4 COLLATE {exact}"
        return replace(column, type="VARCHAR", native=native)
    if kind == "TIME":
        return replace(column, type="VARCHAR", native="TIME(6)", pattern=_TIME.format(fraction=6))
    made = replace(column, type=kind, native=_NEW.get(kind, kind))
    if kind in ("FLOAT", "DOUBLE"):
        return replace(made, finite=True)
    if kind == "JSON":
        return replace(made, rounds_json=rounds_json)
    return _within_years(made)


def _stored_as(kind: str) -> str:
    kind = _STORED_AS.get(kind, kind)
    if is_decimal(kind):
        _, scale = _digits(kind)
        return kind if scale <= _MOST_SCALE else "VARCHAR"
    if is_nested(kind):
        return "JSON"
    return kind if kind in _NEW or kind == "TIME" else "VARCHAR"


def native_of(kind: str) -> str:
    """The type of a column that keeps the values of a DuckDB type."""
    stored = _stored_as(kind)
    return _NEW.get(stored, stored)


def _within_years(column: Column) -> Column:
    if column.type == "DATE":
        return replace(column, finite=True, earliest="0001-01-01", latest="9999-12-31")
    if column.type.startswith("TIMESTAMP"):
        first, last = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"
        return replace(column, finite=True, earliest=first, latest=last, in_utc=True)
    return column


def _digits(kind: str) -> tuple[int, int]:
    precision, scale = map(int, re.findall(r"\d+", kind))
    return precision, scale


# --- tables that are there --------------------------------------------------------------------------


def refusal(definition: Definition) -> str | None:
    """Why no value can be written to a column."""
    if definition.base in _REFUSED:
        return f"its type {definition.base} takes a form of MySQL's own"
    charset = definition.charset
    if charset in (*_ALL_CHARACTERS, *_TWO_BYTES) or charset in _CODECS or charset == "binary":
        return None
    return f"which characters the character set {charset} has is not known here"


def may_be_boolean(definition: Definition) -> bool:
    """Whether it is what MySQL makes of a BOOLEAN, which other numbers fit into, too."""
    return definition.base == "tinyint" and definition.kind.lower().startswith("tinyint(1)")


def as_wanted(definition: Definition, *, is_boolean: bool, rounds_json: bool) -> Column:
    """The column as rows must bring it."""
    column = Column(
        definition.name,
        "VARCHAR",
        nullable=definition.nullable,
        native=definition.kind,
        required=not definition.nullable and not definition.has_default and not definition.generated,
        has_default=definition.has_default,
        generated=definition.generated,
    )
    if is_boolean:
        return replace(column, type="BOOLEAN")
    loses = [*_losses(definition)]
    column = replace(_typed(column, definition), loses=" OR ".join(loses) or None)
    return replace(column, rounds_json=rounds_json) if column.type == "JSON" else column


def _typed(column: Column, definition: Definition) -> Column:
    base = definition.base
    if definition.is_json:
        return replace(column, type="JSON")
    if base in _INTEGERS:
        return replace(column, type=_INTEGERS[base][definition.unsigned])
    if base == "decimal":
        return _decimal(column, definition)
    if base in ("float", "double"):
        return replace(column, type=base.upper(), finite=True)
    if base == "year":
        return replace(column, type="SMALLINT")
    if base == "bit":
        return replace(column, type="BOOLEAN" if definition.precision == 1 else "UBIGINT")
    if base == "time":
        return replace(column, pattern=_TIME.format(fraction=definition.fraction or 0))
    if base == "timestamp":  # MariaDB reaches further since 11.5, on some machines
        first, last = "1970-01-01 00:00:01+00", "2038-01-19 03:14:07.999999+00"
        return replace(column, type="TIMESTAMP WITH TIME ZONE", finite=True, earliest=first, latest=last)
    if base in ("date", "datetime"):
        return _within_years(replace(column, type="DATE" if base == "date" else "TIMESTAMP"))
    if base.endswith(("blob", "binary")):
        return replace(column, type="BLOB")
    return _text(column, definition)


def _text(column: Column, definition: Definition) -> Column:
    if definition.base == "enum":
        members = "|".join(re.escape(member) for member in _members(definition))
        return replace(column, pattern=f"(?s:{members})")
    if definition.base == "uuid":
        return replace(column, pattern="[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    return replace(
        column, max_length=definition.characters if definition.base in ("char", "varchar") else None
    )


def _decimal(column: Column, definition: Definition) -> Column:
    precision, scale = definition.precision or 10, definition.scale or 0
    if precision <= _MOST_DIGITS:
        return replace(column, type=f"DECIMAL({precision},{scale})")
    fraction = rf"(\.[0-9]{{0,{scale}}}0*)?" if scale else r"(\.0*)?"
    pattern = rf"\s*[+-]?0*[0-9]{{1,{max(precision - scale, 1)}}}{fraction}\s*"
    return replace(column, pattern=pattern, carries="number")


_TIME = r"-?0*[0-8]?[0-9]?[0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{{0,{fraction}}}0*)?"
"""At most 838:59:59; the server itself refuses the few that are beyond and look like that."""


def _losses(definition: Definition) -> Iterator[str]:
    """SQL for values that the server would keep as others, or refuse."""
    base, v = definition.base, "{v}"
    if low_high := _MEDIUM.get(f"{base} unsigned" if definition.unsigned else base):
        yield f"{v} NOT BETWEEN {low_high[0]} AND {low_high[1]}"
    if base == "decimal" and definition.unsigned:
        carried = (definition.precision or 0) > _MOST_DIGITS
        yield f"ltrim({v})[1] = '-'" if carried else f"{v} < 0"
    if base in ("float", "double"):
        if definition.unsigned:
            yield f"{v} < 0"
        if definition.scale is not None:
            yield f"{v} <> round({v}, {definition.scale})"
    if base == "year":
        yield f"{v} <> 0 AND {v} NOT BETWEEN 1901 AND 2155"
    if base == "bit" and 1 < (definition.precision or 1) < 64:
        yield f"{v} >= {1 << (definition.precision or 1)}"
    if base in ("datetime", "timestamp") and (definition.fraction or 0) < 6:
        yield f"isfinite({v}) AND epoch_us({v}) % {10 ** (6 - (definition.fraction or 0))} <> 0"
    if base == "binary":  # a shorter one is filled up with zeros
        yield f"octet_length({v}) <> {definition.octets}"
    elif (base.endswith("blob") or base == "varbinary") and definition.octets:
        yield f"octet_length({v}) > {definition.octets}"
    if base == "set":
        yield _not_in_set(definition)
    if base in _TEXTS:
        yield from _losses_of_text(definition)


def _losses_of_text(definition: Definition) -> Iterator[str]:
    v, charset = "{v}", definition.charset
    if definition.base == "char":  # they are cut off when it is read
        yield f"ends_with({v}, ' ')"
    if definition.base.endswith("text") and definition.octets:
        size = "length" if charset in _CODECS else "strlen"
        yield f"{size}({v}) > {definition.octets}"
    if charset in _TWO_BYTES:
        yield f"regexp_matches({v}, {literal(_BEYOND_TWO_BYTES)})"
    elif charset in _CODECS:
        yield f"regexp_matches({v}, {literal(_other_characters(_CODECS[charset]))})"


def _other_characters(codec: str) -> str:
    """A pattern for a character that is not in a character set of one byte."""
    known = bytes(range(256)).decode(codec, "ignore")
    controls = "".join(map(chr, range(0x80, 0xA0))) if codec == "cp1252" else ""
    points = "".join(rf"\x{{{ord(char):X}}}" for char in sorted({*known, *_undefined(codec, controls)}))
    return f"[^{points}]"


def _undefined(codec: str, controls: str) -> list[str]:
    """Bytes that Windows leaves undefined in 1252 are the control characters of the same number to MySQL."""
    return [char for char in controls if not bytes([ord(char)]).decode(codec, "ignore")]


def _members(definition: Definition) -> list[str]:
    found = re.findall(r"'((?:[^']|'')*)'", definition.kind)
    return [member.replace("''", "'") for member in found]


def _not_in_set(definition: Definition) -> str:
    """SQL for text that is not some members of a SET, in their order."""
    members = "".join(f"({re.escape(member)}(,|$))?" for member in _members(definition))
    return f"NOT regexp_full_match({{v}}, {literal(members)}) OR ends_with({{v}}, ',')"

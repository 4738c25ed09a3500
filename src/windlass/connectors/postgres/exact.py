"""Whether a type of Postgres keeps what a text says: SQL, for either server, written once.

Postgres's own input takes the zone off a time for a column without one, cuts bits and names off, rounds to the digits
that a type has. So the text is also read as a type that keeps more of it, the witness, and so is what the type itself
says of its value: both have to be the same. Where there is no such type, the two texts themselves are looked at.
"""

from __future__ import annotations

import re

__all__ = ["base_of", "keeps"]

_WITNESS = {
    "int2": "numeric",
    "int4": "numeric",
    "int8": "numeric",
    "float4": "numeric",
    "float8": "numeric",
    "numeric": "numeric",
    "oid": "numeric",
    "xid": "numeric",
    "cid": "numeric",
    "char": "text",
    "name": "text",
    "varchar": "text",
    "bpchar": "bpchar",
    "bit": "varbit",
    "varbit": "varbit",
    "timestamp": "timestamptz",
    "timestamptz": "timestamptz",
    "time": "timetz",
    "timetz": "timetz",
    "interval": "interval",
}
"""By the catalog's name of a type. (To know a point in time is to know its zone, so a time without one is UTC's.)"""

_MONEY = "regexp_replace({x}, '[$, ]', '', 'g')::numeric"
_NUMBERS = r"ARRAY(SELECT m[1]::numeric FROM regexp_matches({x}, '[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?', 'g') m ORDER BY 1)"
_OF_NUMBERS = ("point", "line", "lseg", "box", "path", "polygon", "circle")

_A_DATE = r"{x} ~* '^\s*([+-]?\d{4,}-\d{1,2}-\d{1,2}\M|[+-]?infinity\s*$)'"  # no other order of its parts, nor `today`
_MICROSECONDS = r"{x} !~ '\.\d{6}\d*[1-9]'"
_A_TIME = r"{x} ~* '^\s*T?\d{1,2}(:\d{2}){1,2}(\.\d+)?\s*([ap]m)?\s*(z|utc|[+-]\d{1,2}(:?\d{2}){0,2})?\s*$'"
_EXTRA = {
    "timestamp": f"{_MICROSECONDS} AND {_A_DATE}",
    "timestamptz": f"{_MICROSECONDS} AND {_A_DATE}",
    "date": f"{_A_DATE} AND CASE WHEN {{x}} ~ ':' THEN {{x}}::timestamptz = ({{v}})::text::timestamptz ELSE true END",
    "time": f"{_MICROSECONDS} AND {_A_TIME}",
    "timetz": f"{_MICROSECONDS} AND {_A_TIME}",
    "interval": rf"{_MICROSECONDS} AND {{x}} ~ '^[\s\w.:+@-]*$' AND {{x}} !~ ':\S*[+-]'",
}


def keeps(base: str, version: int) -> str | None:
    """SQL that is true for text `{x}` which a type keeps as it is, the type's value of it being `{v}`. None: always.

    `base` is the catalog's name of the type (with an underscore before it: an array), `version` is the server's.
    """
    element, is_array = base.removeprefix("_"), base.startswith("_")
    if element == "jsonb" and not is_array:
        return "({x}) IS JSON WITH UNIQUE KEYS" if version >= _IS_JSON else None
    if element == "money" and not is_array:
        return f"CASE WHEN {{x}} ~ '[0-9]' THEN {_MONEY} = ({{v}})::numeric ELSE false END"
    if element in _OF_NUMBERS:
        return f"{_NUMBERS} = {_NUMBERS.replace('{x}', '({v})::text')}"
    first = None if is_array else _EXTRA.get(element)
    if element not in _WITNESS:
        return first
    witness = _WITNESS[element] + ("[]" if is_array else "")
    same = f"({{x}})::{witness} IS NOT DISTINCT FROM ({{v}})::text::{witness}"
    return f"CASE WHEN {first} THEN {same} ELSE false END" if first else same


def base_of(kind: str) -> str:
    """The catalog's name of a built-in type, as SQL writes it.

    >>> base_of("timestamp(3) without time zone"), base_of("numeric(12,2)[]")
    ('timestamp', '_numeric')
    """
    name = re.sub(r"\(.*?\)", "", kind)
    array = "_" if name.endswith("[]") else ""
    name = name.removesuffix("[]").strip('"')
    name = "interval" if name.startswith("interval") else name
    return array + _CATALOG_NAMES.get(name, name)


_CATALOG_NAMES = {
    "boolean": "bool",
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "real": "float4",
    "double precision": "float8",
    "character varying": "varchar",
    "character": "bpchar",
    "bit varying": "varbit",
    "time without time zone": "time",
    "time with time zone": "timetz",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}

_IS_JSON = 16  # the first version that has IS JSON

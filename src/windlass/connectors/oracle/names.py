"""Names in Oracle's SQL: those without quotes are in capitals.

https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/Database-Object-Names-and-Qualifiers.html
"""

from __future__ import annotations

import re

from windlass.errors import FatalError

__all__ = ["parts_of", "quoted", "text"]

_PART = r'"[^"]+"|[^\W\d][\w$#]*'
_NAME = re.compile(rf"(?:({_PART})\.)?({_PART})(@[\w.$#]+)?")


def quoted(name: str) -> str:
    """A name as an identifier. None has a double quote in it."""
    return f'"{name}"'


def text(value: str) -> str:
    """A text as a literal.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def parts_of(name: str) -> tuple[str | None, str, str]:
    """Schema, table and database link of a name that somebody wrote.

    >>> parts_of("shop.orders"), parts_of('"Order Lines"@far')
    (('SHOP', 'ORDERS', ''), (None, 'Order Lines', '@far'))

    Raises FatalError for what is not a name.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        hint = 'expected table or schema.table, each as it is, in capitals then, or as "It Is"'
        raise FatalError(f"{name!r} is not the name of a table of Oracle", hint=hint)
    schema, table, link = found.groups()
    return (None if schema is None else _stored(schema)), _stored(table), link or ""


def _stored(part: str) -> str:
    return part[1:-1] if part.startswith('"') else part.upper()

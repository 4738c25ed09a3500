"""Names and values in the SQL of MySQL, for sessions of any `sql_mode`."""

from __future__ import annotations

from windlass.errors import FatalError

__all__ = ["qualified", "quoted", "split_name", "text"]


def quoted(name: str) -> str:
    """A name as an identifier.

    >>> quoted("a`b")
    '`a``b`'
    """
    return "`" + name.replace("`", "``") + "`"


def qualified(schema: str, name: str) -> str:
    """A table of a database as an identifier."""
    return f"{quoted(schema)}.{quoted(name)}"


def text(value: str) -> str:
    """A text as a literal, whatever is in it: what a backslash means depends on the session.

    >>> text("é")
    "_utf8mb4 X'C3A9'"
    """
    return f"_utf8mb4 X'{value.encode().hex().upper()}'"


def split_name(name: str, database: str) -> tuple[str, str]:
    """Database and table of `table` or `database.table`. Raises FatalError when there is no database."""
    schema, dot, table = name.partition(".")
    if dot and schema and table:
        return schema, table
    if not database:
        hint = f"name it in the address, mysql://host/shop, or with the table: shop.{name}"
        raise FatalError(f"no database is named for the table {name!r}", hint=hint)
    return database, name

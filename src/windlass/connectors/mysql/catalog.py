"""What the server knows of its tables."""

from __future__ import annotations

import re
from dataclasses import dataclass

from windlass.connectors.mysql.names import text
from windlass.connectors.mysql.session import Session
from windlass.errors import did_you_mean

__all__ = ["Definition", "Table", "find_table", "no_table", "table_names"]

OURS = "_windlass"
"""How the names of our own tables begin."""


@dataclass(frozen=True)
class Definition:
    """A column of a table, as `information_schema.COLUMNS` has it."""

    name: str
    kind: str
    """The whole type, such as `int(10) unsigned`."""

    base: str
    """The name of the type alone, such as `int`."""

    charset: str | None
    collation: str | None
    characters: int | None
    octets: int | None
    precision: int | None
    scale: int | None
    fraction: int | None
    """Of times: the digits of their seconds' fraction."""

    nullable: bool
    has_default: bool
    generated: bool
    invisible: bool
    is_json: bool = False

    @property
    def unsigned(self) -> bool:
        return "unsigned" in self.kind.lower()


@dataclass(frozen=True)
class Table:
    """A table or view."""

    schema: str
    name: str
    kind: str
    """`BASE TABLE`, `VIEW`, …"""

    engine: str | None
    columns: tuple[Definition, ...]


def find_table(session: Session, schema: str, name: str) -> Table | None:
    """The table of that name; None when there is none."""
    found = session.rows(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE FROM information_schema.TABLES "
        f"WHERE TABLE_SCHEMA = {text(schema)} AND TABLE_NAME = {text(name)}"
    )
    if not found:
        return None
    schema, name, kind, engine = found[0]
    return Table(schema, name, kind, engine, _columns(session, schema, name))


def _columns(session: Session, schema: str, name: str) -> tuple[Definition, ...]:
    rows = session.rows(
        "SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, CHARACTER_MAXIMUM_LENGTH, "
        "CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, IS_NULLABLE, COLUMN_DEFAULT, "
        "EXTRA, GENERATION_EXPRESSION FROM information_schema.COLUMNS "
        f"WHERE TABLE_SCHEMA = {text(schema)} AND TABLE_NAME = {text(name)} ORDER BY ORDINAL_POSITION"
    )
    json = _json_columns(session, schema, name)
    return tuple(
        Definition(
            name=row[0],
            kind=row[1],
            base=row[2].lower(),
            charset=row[3],
            collation=row[4],
            characters=row[5],
            octets=row[6],
            precision=row[7],
            scale=row[8],
            fraction=row[9],
            nullable=row[10] == "YES",
            has_default=row[11] not in (None, "NULL") or "auto_increment" in row[12].lower(),
            generated="generated" in row[12].lower() and bool(row[13]),
            invisible="invisible" in row[12].lower(),
            is_json=row[2].lower() == "json" or row[0] in json,
        )
        for row in rows
    )


def _json_columns(session: Session, schema: str, table: str) -> set[str]:
    """The columns that MariaDB lets have JSON only: the type is an alias there, and a CHECK tells."""
    if not session.is_mariadb:
        return set()
    checks = session.rows(
        "SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS "
        f"WHERE CONSTRAINT_SCHEMA = {text(schema)} AND TABLE_NAME = {text(table)}"
    )
    found = (re.fullmatch(r"json_valid\(`(.*)`\)", clause) for (clause,) in checks)
    return {match[1].replace("``", "`") for match in found if match}


def table_names(session: Session, schema: str) -> list[str]:
    """The tables and views of a database, without our own."""
    rows = session.rows(
        f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {text(schema)} ORDER BY 1"
    )
    return [name for (name,) in rows if not name.startswith(OURS)]


def no_table(session: Session, message: str) -> str | None:
    """A hint for the server's error that there is no such table."""
    found = re.search(r"'([^'.]+)\.([^']+)'", message)
    if found is None:
        return None
    names = table_names(session, found[1])
    return did_you_mean(found[2], names) or (None if names else "the database has no tables")

"""Databases of their own on a dev service, each a copy of the one that its init files have made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from windlass.connections import Address
from windlass.connectors.mysql.catalog import find_table
from windlass.connectors.mysql.names import qualified, quoted, text
from windlass.connectors.mysql.session import Session

__all__ = ["fresh"]

_MODE = "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0"


@contextmanager
def fresh(address: Address, name: str) -> Iterator[Address]:
    """A copy of the database at the address, with that name, until the end of the block."""
    with closing(Session(address)) as session:
        _drop(session, name)
        session.execute(f"CREATE DATABASE {quoted(name)} CHARACTER SET utf8mb4")
        session.execute(_MODE)
        session.execute(f"USE {quoted(name)}")
        _copy(session, address.database, name)
    try:
        yield replace(address, database=name)
    finally:
        with closing(Session(address)) as session:
            _drop(session, name)


def _drop(session: Session, name: str) -> None:
    session.execute(f"DROP DATABASE IF EXISTS {quoted(name)}")


def _copy(session: Session, origin: str, name: str) -> None:
    """Everything in the one database, made in the other: functions first, as views and triggers may use them."""
    for kind, routine in session.rows(
        f"SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {text(origin)}"
    ):
        _made_as(session, f"SHOW CREATE {kind} {qualified(origin, routine)}", 2, origin, name)
    tables = session.rows(
        "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES "
        f"WHERE TABLE_SCHEMA = {text(origin)} ORDER BY TABLE_TYPE, TABLE_NAME"
    )
    for table, kind in tables:
        if kind != "VIEW":
            _made_as(session, f"SHOW CREATE TABLE {qualified(origin, table)}", 1, origin, name)
            _fill(session, origin, name, table)
    for (trigger,) in session.rows(
        f"SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {text(origin)}"
    ):
        _made_as(session, f"SHOW CREATE TRIGGER {qualified(origin, trigger)}", 2, origin, name)
    for (view,) in _views(session, origin):
        _made_as(session, f"SHOW CREATE VIEW {qualified(origin, view)}", 1, origin, name)


def _made_as(session: Session, show: str, column: int, origin: str, name: str) -> None:
    """Run what the server says makes a thing; where it names the database, it is the new one."""
    sql = str(session.rows(show)[0][column])
    session.execute(sql.replace(f"{quoted(origin)}.", f"{quoted(name)}."))


def _fill(session: Session, origin: str, name: str, table: str) -> None:
    found = find_table(session, origin, table)
    assert found is not None
    columns = ", ".join(quoted(column.name) for column in found.columns if not column.generated)
    session.execute(
        f"INSERT INTO {qualified(name, table)} ({columns}) SELECT {columns} FROM {qualified(origin, table)}"
    )


def _views(session: Session, origin: str) -> list[tuple[str]]:
    """The views, those first that others may be made of."""
    rows = session.rows(
        f"SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {text(origin)}"
    )
    definitions = {str(view): str(sql) for view, sql in rows}
    ordered: list[tuple[str]] = []
    while definitions:
        ready = [
            view
            for view, sql in definitions.items()
            if not any(f"{qualified(origin, other)}" in sql for other in definitions if other != view)
        ] or list(definitions)
        for view in ready:
            ordered.append((view,))
            del definitions[view]
    return ordered

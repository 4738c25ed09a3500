"""Opens SQLite files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windlass.connections import Address
from windlass.connectors.protocol import Database, Destination, Interval, Source

if TYPE_CHECKING:
    from windlass.plan import model as plan

__all__ = ["connect", "open_destination", "open_source"]


def connect(address: Address) -> Database:
    """Open the file, to run SQL; it is made when it is missing."""
    from windlass.connectors.sqlite.database import SqliteDatabase

    return SqliteDatabase(address)


def open_source(address: Address, end: plan.Source) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.sqlite.source import SqliteSource

    return SqliteSource(address, end)


def open_destination(address: Address, end: plan.Destination, interval: Interval | None) -> Destination:
    """Open a table for writing; `interval` is the run's, for `delete_insert`."""
    from windlass.connectors.sqlite.destination import SqliteDestination

    return SqliteDestination(address, end, interval)

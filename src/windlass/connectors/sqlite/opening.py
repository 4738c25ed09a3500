"""Opens SQLite files."""

from __future__ import annotations

from windlass.connections import Address
from windlass.connectors.database import Database
from windlass.connectors.destination import Destination
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableDestination, TableSource
from windlass.connectors.source import Source

__all__ = ["connect", "open_destination", "open_source"]


def connect(address: Address) -> Database:
    """Open the file, to run SQL; it is created when it is missing."""
    from windlass.connectors.sqlite.database import SqliteDatabase

    return SqliteDatabase(address)


def open_source(end: ConnectedEnd[TableSource]) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.sqlite.source import SqliteSource

    return SqliteSource(end)


def open_destination(end: ConnectedEnd[TableDestination]) -> Destination:
    """Open a table for writing."""
    from windlass.connectors.sqlite.destination import SqliteDestination

    return SqliteDestination(end)

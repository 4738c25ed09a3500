"""Connects to Postgres."""

from __future__ import annotations

from windlass.connections import Address
from windlass.connectors.database import Database
from windlass.connectors.destination import Destination
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableDestination, TableSource
from windlass.connectors.source import Source

__all__ = ["connect", "open_destination", "open_source"]


def connect(address: Address) -> Database:
    """Connect, to run SQL. Raises RetryableError when the server does not answer."""
    from windlass.connectors.postgres.database import PostgresDatabase

    return PostgresDatabase(address)


def open_source(end: ConnectedEnd[TableSource]) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.postgres.reading.source import PostgresSource

    return PostgresSource(end)


def open_destination(end: ConnectedEnd[TableDestination]) -> Destination:
    """Open a table for writing."""
    from windlass.connectors.postgres.writing.destination import PostgresDestination

    return PostgresDestination(end)

"""Opens DuckDB files."""

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
    from windlass.connectors.duckdb.database import DuckdbDatabase

    return DuckdbDatabase(address)


def open_source(end: ConnectedEnd[TableSource]) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.duckdb.source import DuckdbSource

    return DuckdbSource(end)


def open_destination(end: ConnectedEnd[TableDestination]) -> Destination:
    """Open a table for writing."""
    from windlass.connectors.duckdb.destination import DuckdbDestination

    return DuckdbDestination(end)

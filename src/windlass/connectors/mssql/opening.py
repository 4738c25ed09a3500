"""Connects to SQL Server."""

from __future__ import annotations

from windlass.connections import Address
from windlass.connectors.database import Database
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource
from windlass.connectors.source import Source

__all__ = ["connect", "open_source"]


def connect(address: Address) -> Database:
    """Connect, to run SQL. Raises RetryableError when the server does not answer."""
    from windlass.connectors.mssql.database import MssqlDatabase

    return MssqlDatabase(address)


def open_source(end: ConnectedEnd[TableSource]) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.mssql.source import MssqlSource

    return MssqlSource(end)

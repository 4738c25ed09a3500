"""Connects to MySQL and MariaDB."""

from __future__ import annotations

from windlass.connections import Address
from windlass.connectors.database import Database
from windlass.connectors.destination import Destination
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mysql import options
from windlass.connectors.source import Source

__all__ = ["connect", "open_destination", "open_source"]


def connect(address: Address) -> Database:
    """Connect, to run SQL. Raises RetryableError when the server does not answer."""
    from windlass.connectors.mysql.database import MysqlDatabase

    return MysqlDatabase(address)


def open_source(end: ConnectedEnd[options.Source]) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.mysql.reading.source import MysqlSource

    return MysqlSource(end)


def open_destination(end: ConnectedEnd[options.Destination]) -> Destination:
    """Open a table for writing."""
    from windlass.connectors.mysql.writing.destination import MysqlDestination

    return MysqlDestination(end)

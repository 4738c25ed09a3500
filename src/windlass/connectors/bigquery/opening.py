"""Opens tables, and connects."""

from __future__ import annotations

from windlass.connections import Address
from windlass.connectors.bigquery import options
from windlass.connectors.database import Database
from windlass.connectors.destination import Destination
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource
from windlass.connectors.source import Source

__all__ = ["connect", "open_destination", "open_source"]


def connect(address: Address) -> Database:
    """Connect, to run SQL. Raises RetryableError when BigQuery does not answer."""
    from windlass.connectors.bigquery.database import BigqueryDatabase

    return BigqueryDatabase(address)


def open_source(end: ConnectedEnd[TableSource]) -> Source:
    """Open a table, a view or a query for reading."""
    from windlass.connectors.bigquery.reading.source import BigquerySource

    return BigquerySource(end)


def open_destination(end: ConnectedEnd[options.Destination]) -> Destination:
    """Open a table for writing."""
    from windlass.connectors.bigquery.writing.destination import BigqueryDestination

    return BigqueryDestination(end)

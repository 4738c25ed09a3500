"""Opens tables, and connects."""

from __future__ import annotations

from windlass.connections import Address
from windlass.connectors.bigquery import options
from windlass.connectors.database import Database
from windlass.connectors.destination import Destination, Load, Shortcut
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource
from windlass.connectors.source import Reading, Source
from windlass.plan.model import Copy

__all__ = ["connect", "load_objects", "open_destination", "open_source"]


def connect(address: Address) -> Database:
    """Connect, to run SQL. Raises RetryableError when BigQuery does not answer."""
    from windlass.connectors.bigquery import stand_in
    from windlass.connectors.bigquery.database import BigqueryDatabase

    if (file := stand_in.file_of(address)) is not None:
        return stand_in.connected(file)
    return BigqueryDatabase(address)


def load_objects(source: Source, load: Load, reading: Reading, copy: Copy) -> Shortcut | None:
    """The way of objects that BigQuery reads by itself, if it may."""
    from windlass.connectors.bigquery.writing.from_objects import from_objects

    return from_objects(source, load, reading, copy)


def open_source(end: ConnectedEnd[TableSource]) -> Source:
    """Open a table, a view or a query for reading."""
    from windlass.connectors.bigquery import stand_in
    from windlass.connectors.bigquery.reading.source import BigquerySource

    if (file := stand_in.file_of(end.address)) is not None:
        return stand_in.source_in(file, end)
    return BigquerySource(end)


def open_destination(end: ConnectedEnd[options.Destination]) -> Destination:
    """Open a table for writing."""
    from windlass.connectors.bigquery import stand_in
    from windlass.connectors.bigquery.writing.destination import BigqueryDestination

    if (file := stand_in.file_of(end.address)) is not None:
        return stand_in.destination_in(file, end)
    return BigqueryDestination(end)

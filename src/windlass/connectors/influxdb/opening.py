"""Opens measurements."""

from __future__ import annotations

from windlass.connectors.destination import Destination
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.influxdb import options
from windlass.connectors.source import Source

__all__ = ["open_destination", "open_source"]


def open_source(end: ConnectedEnd[options.Source]) -> Source:
    """Open a measurement or a query for reading."""
    from windlass.connectors.influxdb.reading.source import InfluxdbSource

    return InfluxdbSource(end)


def open_destination(end: ConnectedEnd[options.Destination]) -> Destination:
    """Open a measurement for writing."""
    from windlass.connectors.influxdb.writing.destination import InfluxdbDestination

    return InfluxdbDestination(end)

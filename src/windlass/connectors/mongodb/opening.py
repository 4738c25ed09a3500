"""Opens collections."""

from __future__ import annotations

from windlass.connectors.destination import Destination
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mongodb import options
from windlass.connectors.source import Source

__all__ = ["open_destination", "open_source"]


def open_source(end: ConnectedEnd[options.Source]) -> Source:
    """Open a collection for reading."""
    from windlass.connectors.mongodb.reading.source import MongodbSource

    return MongodbSource(end)


def open_destination(end: ConnectedEnd[options.Destination]) -> Destination:
    """Open a collection for writing."""
    from windlass.connectors.mongodb.writing.destination import MongodbDestination

    return MongodbDestination(end)

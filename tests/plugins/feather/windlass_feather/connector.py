"""What windlass knows of Feather files before it reads or writes one: this imports nothing heavy."""

from __future__ import annotations

from windlass.connectors.destination import Destination
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import DestinationOptions, SourceOptions
from windlass.connectors.source import Source
from windlass.registry import Connector

__all__ = ["CONNECTOR", "open_destination", "open_source"]

CONNECTOR = Connector(
    type="feather",
    form="file",
    schemes=("feather",),
    example="feather:///orders.feather",
    packages=("pyarrow",),
    source="windlass_feather.connector:open_source",
    destination="windlass_feather.connector:open_destination",
    options="windlass_feather.options",
)


def open_source(end: ConnectedEnd[SourceOptions]) -> Source:
    from .ends import FeatherSource

    return FeatherSource(end)


def open_destination(end: ConnectedEnd[DestinationOptions]) -> Destination:
    from .ends import FeatherDestination

    return FeatherDestination(end)

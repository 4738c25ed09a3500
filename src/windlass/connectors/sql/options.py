"""The keys of databases with tables, where a connector has none of its own."""

from windlass.connectors.options import InitOptions as DevService
from windlass.connectors.options import TableDestination as Destination
from windlass.connectors.options import TableSource as Source

__all__ = ["Destination", "DevService", "Source"]

"""Opens a resource of dlt."""

from __future__ import annotations

from windlass.connectors.dlt import options
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.source import Source

__all__ = ["open_source"]


def open_source(end: ConnectedEnd[options.Source]) -> Source:
    """Open a resource for reading."""
    from windlass.connectors.dlt.source import DltSource

    return DltSource(end)

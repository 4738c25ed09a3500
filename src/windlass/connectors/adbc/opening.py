"""Opens what a driver of ADBC reads."""

from __future__ import annotations

from windlass.connectors.adbc import options
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.source import Source

__all__ = ["open_source"]


def open_source(end: ConnectedEnd[options.Source]) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.adbc.source import AdbcSource

    return AdbcSource(end)

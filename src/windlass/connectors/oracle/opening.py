"""Connects to Oracle."""

from __future__ import annotations

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource
from windlass.connectors.source import Source

__all__ = ["open_source"]


def open_source(end: ConnectedEnd[TableSource]) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.oracle.source import OracleSource

    return OracleSource(end)

"""Opens APIs."""

from __future__ import annotations

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.http import options
from windlass.connectors.source import Source

__all__ = ["open_source"]


def open_source(end: ConnectedEnd[options.Source]) -> Source:
    """Open a path of an API for reading."""
    from windlass.connectors.http.source import HttpSource

    return HttpSource(end)

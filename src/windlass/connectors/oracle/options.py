"""The keys of Oracle in `from:`."""

from windlass.connectors.options import TableSource as Source

__all__ = ["Source"]

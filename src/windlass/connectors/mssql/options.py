"""The keys of SQL Server in `from:`."""

from windlass.connectors.options import TableSource as Source

__all__ = ["Source"]

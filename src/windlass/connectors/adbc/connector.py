"""What windlass knows of databases with a driver of ADBC, without that driver."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="adbc",
    form="server",
    schemes=("adbc",),
    example="adbc+postgresql://user:password@host:5432/database",
    extra="adbc",
    packages=("adbc-driver-manager", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.adbc.opening:open_source",
    options="windlass.connectors.adbc.options",
)

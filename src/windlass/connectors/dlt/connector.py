"""What windlass knows of dlt without its package."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="dlt",
    form="server",  # without a host: the path is where the source is found
    schemes=("dlt",),
    example="dlt:///module:source",
    extra="dlt",
    packages=("dlt", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.dlt.opening:open_source",
    address_key="source",
    options="windlass.connectors.dlt.options",
)

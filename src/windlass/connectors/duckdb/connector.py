"""What windlass knows of duckdb without its driver."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="duckdb",
    form="file",
    schemes=("duckdb",),
    example="duckdb:///file.duckdb",
    extra="files",
    packages=("duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.duckdb.opening:open_source",
    destination="windlass.connectors.duckdb.opening:open_destination",
    sql="windlass.connectors.duckdb.opening:connect",
    dev_service="windlass.connectors.duckdb.dev_service:start",
    options="windlass.connectors.sql.options",
)

"""What windlass knows of sqlite without its driver."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="sqlite",
    form="file",
    schemes=("sqlite", "sqlite3"),
    example="sqlite:///file.db",
    extra="files",
    packages=("duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.sqlite.opening:open_source",
    destination="windlass.connectors.sqlite.opening:open_destination",
    sql="windlass.connectors.sqlite.opening:connect",
    dev_service="windlass.connectors.sqlite.dev_service:start",
    options="windlass.connectors.sql.options",
)

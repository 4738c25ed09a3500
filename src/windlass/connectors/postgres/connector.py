"""What windlass knows of postgres without its driver."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="postgres",
    form="server",
    schemes=("postgresql", "postgres"),
    example="postgresql://user:password@host:5432/database",
    extra="postgres",
    packages=("asyncpg", "uvloop", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.postgres.opening:open_source",
    destination="windlass.connectors.postgres.opening:open_destination",
    sql="windlass.connectors.postgres.opening:connect",
    dev_service="windlass.connectors.postgres.dev_service:start",
    loads_in_parts=True,
    shortcuts={"postgres": "windlass.connectors.postgres.relay.relay:relay"},
    options="windlass.connectors.sql.options",
)

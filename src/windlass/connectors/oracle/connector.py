"""What windlass knows of Oracle Database without its driver."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="oracle",
    form="server",
    schemes=("oracle",),
    port=1521,
    example="oracle://user:password@host:2484/service",
    open_options=("ca", "connect_timeout", "encrypt", "verify_host"),
    extra="oracle",
    packages=("oracledb", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.oracle.opening:open_source",
    options="windlass.connectors.oracle.options",
    met_no_server=True,
)

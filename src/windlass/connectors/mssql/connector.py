"""What windlass knows of SQL Server without its driver."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="mssql",
    form="server",
    schemes=("mssql", "sqlserver"),
    port=1433,
    schema="dbo",
    example="mssql://user:password@host:1433/database",
    open_options=("ca", "connect_timeout", "encrypt", "verify_host"),
    extra="mssql",
    packages=("python-tds", "pyopenssl", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.mssql.opening:open_source",
    sql="windlass.connectors.mssql.opening:connect",
    options="windlass.connectors.mssql.options",
    met_no_server=True,
)

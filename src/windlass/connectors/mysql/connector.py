"""What windlass knows of mysql without its driver."""

from windlass.registry import Connector, Container

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="mysql",
    form="server",
    schemes=("mysql", "mariadb"),
    port=3306,
    example="mysql://user:password@host:3306/database",
    open_options=(
        *("charset", "connect_timeout", "ssl_ca", "ssl_cert", "ssl_key", "ssl_mode", "unix_socket"),
    ),
    extra="mysql",
    packages=("asyncmy", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.mysql.opening:open_source",
    destination="windlass.connectors.mysql.opening:open_destination",
    sql="windlass.connectors.mysql.opening:connect",
    dev_service="windlass.connectors.mysql.dev_service:start",
    fresh="windlass.connectors.mysql.fresh:fresh",
    container=Container(
        image="mariadb:11.4",
        port=3306,
        user="root",
        database="windlass",
        password="MARIADB_ROOT_PASSWORD",
        data="/var/lib/mysql",
        init="/docker-entrypoint-initdb.d",
        healthy="healthcheck.sh --connect --innodb_initialized",
    ),
    options="windlass.connectors.mysql.options",
    splits=True,
)

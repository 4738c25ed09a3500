"""What windlass knows of postgres without its driver."""

from windlass.registry import Connector, Container

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="postgres",
    form="server",
    schemes=("postgresql", "postgres"),
    port=5432,
    schema="public",
    example="postgresql://user:password@host:5432/database",
    open_options=(
        # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS, without passwords and `options`, which may set anything
        *("application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname", "database"),
        *("fallback_application_name", "gssencmode", "host", "hostaddr", "krbsrvname", "load_balance_hosts"),
        *("passfile", "port", "require_auth", "service", "sslcert", "sslcrl", "sslkey", "sslmode"),
        *("sslnegotiation", "sslrootcert", "ssl_max_protocol_version", "ssl_min_protocol_version"),
        *("target_session_attrs", "user", "silence"),
    ),
    extra="postgres",
    packages=("asyncpg", "uvloop", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.postgres.opening:open_source",
    destination="windlass.connectors.postgres.opening:open_destination",
    sql="windlass.connectors.postgres.opening:connect",
    dev_service="windlass.connectors.postgres.dev_service:start",
    fresh="windlass.connectors.postgres.fresh:fresh",
    container=Container(
        image="postgres:18",
        port=5432,
        user="postgres",
        database="postgres",
        password="POSTGRES_PASSWORD",
        data="/var/lib/postgresql",
        init="/docker-entrypoint-initdb.d",
        healthy="pg_isready -U postgres -h 127.0.0.1",
    ),
    loads_in_parts=True,
    splits=True,
    shortcuts={"postgres": "windlass.connectors.postgres.relay.relay:relay"},
    options="windlass.connectors.sql.options",
)

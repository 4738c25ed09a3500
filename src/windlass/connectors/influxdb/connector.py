"""What windlass knows of InfluxDB without connecting to one."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="influxdb",
    form="server",
    schemes=("influxdb", "influxdbs"),
    schemes_if_declared=("http", "https"),
    open_options=("bucket", "org", "org_id", "org_name", "rp", "silence", "timeout"),
    example="influxdb://user:password@host:8086/database",
    extra="files",
    packages=("duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.influxdb.opening:open_source",
    destination="windlass.connectors.influxdb.opening:open_destination",
    dev_service="windlass.connectors.influxdb.dev_service:start",
    fresh="windlass.connectors.influxdb.fresh:fresh",
    rows_in="measurement",
    told_by_address=("precision", "tags", "time"),
    port=8086,
    options="windlass.connectors.influxdb.options",
)

"""What windlass knows of BigQuery without its driver."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="bigquery",
    form="server",  # whose host is the project, and whose database the dataset
    schemes=("bigquery",),
    open_options=("endpoint", "file", "grpc", "key_file", "location", "maximum_bytes_billed", "silence"),
    example="bigquery://project/dataset",
    extra="bigquery",
    packages=("google-cloud-bigquery", "google-cloud-bigquery-storage", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.bigquery.opening:open_source",
    destination="windlass.connectors.bigquery.opening:open_destination",
    loads_objects="windlass.connectors.bigquery.opening:load_objects",
    sql="windlass.connectors.bigquery.opening:connect",
    dev_service="windlass.connectors.bigquery.dev_service:start",
    fresh="windlass.connectors.bigquery.fresh:fresh",
    options="windlass.connectors.bigquery.options",
)

"""What windlass knows of S3: files below buckets, `s3://bucket/key`."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="s3",
    form="store",
    schemes=("s3", "s3a", "aws"),
    example="s3://KEY:SECRET@bucket?region=eu-west-1",
    open_options=(
        "region",
        "region_name",
        "endpoint",
        "endpoint_url",
        "profile",
        "anonymous",
        "bucket",
        "folder",
        "silence",
    ),
    extra="s3",
    packages=("botocore", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.files.reading.opening:open_source",
    destination="windlass.connectors.files.writing.destination:FileDestination",
    store="windlass.connectors.s3.store:open_store",
    sql="windlass.connectors.stores.database:connect",
    dev_service="windlass.connectors.stores.dev_service:start",
    address_key="url",
    options="windlass.connectors.stores.options",
    rows_in="path",
)

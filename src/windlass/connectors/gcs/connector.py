"""What windlass knows of Google Cloud Storage: files below buckets, `gs://bucket/key`."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="gcs",
    form="store",
    schemes=("gs", "gcs", "googlecloudplatform"),
    example="gs://bucket",
    open_options=("project", "endpoint", "key_path", "anonymous", "bucket", "folder", "silence"),
    extra="gcs",
    packages=("google-cloud-storage", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.files.reading.opening:open_source",
    destination="windlass.connectors.files.writing.destination:FileDestination",
    store="windlass.connectors.gcs.store:open_store",
    sql="windlass.connectors.stores.database:connect",
    dev_service="windlass.connectors.stores.dev_service:start",
    address_key="url",
    options="windlass.connectors.stores.options",
    rows_in="path",
)

"""What windlass knows of Azure Blob Storage: files below containers, `az://container/key`."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="azure",
    form="store",
    schemes=("az", "azure", "wasb"),
    example="az://ACCOUNT:KEY@container",
    open_options=(
        "account",
        "account_url",
        "endpoint",
        "tenant_id",
        "anonymous",
        "bucket",
        "container",
        "folder",
        "silence",
    ),
    extra="azure",
    packages=("azure-storage-blob", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.files.reading.opening:open_source",
    destination="windlass.connectors.files.writing.destination:FileDestination",
    store="windlass.connectors.azure.store:open_store",
    sql="windlass.connectors.stores.database:connect",
    dev_service="windlass.connectors.stores.dev_service:start",
    address_key="url",
    options="windlass.connectors.stores.options",
    rows_in="path",
)

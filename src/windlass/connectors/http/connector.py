"""What windlass knows of HTTP: APIs to read records from, and where files are downloaded from."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="http",
    form="url",
    schemes=("http", "https"),
    example="https://host/path",
    source="windlass.connectors.http.opening:open_source",
    dev_service="windlass.connectors.http.dev_service:start",
    address_key="base_url",
    options="windlass.connectors.http.options",
)

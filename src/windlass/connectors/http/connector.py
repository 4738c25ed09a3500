"""What windlass knows of HTTP: where files are downloaded from."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="http",
    form="url",
    schemes=("http", "https"),
    example="https://host/path",
    dev_service="windlass.connectors.http.dev_service:start",
    options="windlass.connectors.http.options",
)

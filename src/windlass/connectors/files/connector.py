"""What windlass knows of files on this machine: they have a path, and no connection."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="files",
    form=None,
    schemes=("file",),
    extra="files",
    packages=("duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.files.reading.opening:open_source",
    destination="windlass.connectors.files.writing.destination:FileDestination",
    options="windlass.connectors.files.options",
)

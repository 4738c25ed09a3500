"""What windlass knows of SFTP: the files of a server, `sftp://user@host/path`, which are read, and not written."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="sftp",
    form="store",
    schemes=("sftp",),
    example="sftp://USER:PASSWORD@host/folder?fingerprint=SHA256:…",
    open_options=("fingerprint", "host_key", "known_hosts", "key_file", "sessions", "folder"),
    extra="sftp",
    packages=("paramiko", "duckdb", "pyarrow", "numpy"),
    source="windlass.connectors.files.reading.opening:open_source",
    store="windlass.connectors.sftp.opening:open_store",
    dev_service="windlass.connectors.stores.dev_service:start",
    address_key="url",
    options="windlass.connectors.sftp.options",
    port=22,
    rows_in="path",
)

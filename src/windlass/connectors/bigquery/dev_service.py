"""The dev service of a BigQuery connection: the emulator `bqemulator`, if it is on this machine's PATH; else a DuckDB file.

The emulator needs another version of DuckDB than windlass, so it is installed by itself, and is nobody's extra.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from windlass.connections import Address
from windlass.connectors.bigquery import stand_in
from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.database import BigqueryDatabase
from windlass.connectors.dev_server import Program, Server, start_server
from windlass.devservices import DevService
from windlass.files import write_file
from windlass.ports import LOOPBACK, free_port

__all__ = ["start"]

_PROGRAM = "bqemulator"
_PROJECT = "dev"
_OTHER_PORT = "grpc_port"
"""The file, beside the data, with the port of the Storage interfaces."""


def start(service: DevService) -> Address:
    """The address of what stands in; started and initialised as far as needed."""
    if shutil.which(_PROGRAM) is None:
        return stand_in.start(service)
    data = service.folder / "data"

    def connected(address: Address) -> Connection:
        connection = Connection(_named(address, data))
        with connection.closed_on_error(), connection.errors():
            connection.client.create_dataset(connection.dataset, exists_ok=True, retry=None, timeout=5)  # type: ignore[arg-type]
        return connection

    server = Server("BigQuery", (Program(_PROGRAM, _command),), None, connected, _clear, _load)
    return _named(start_server(service, server), data)


def _command(program: str, data: Path, port: int) -> tuple[str, ...]:
    other = free_port()
    write_file(data / _OTHER_PORT, str(other))
    ports = (f"--rest-port={port}", f"--grpc-port={other}")
    return (program, "start", *ports, "--persistent", f"--data-dir={data}", "--log-level=warning")


def _named(address: Address, data: Path) -> Address:
    """The address of a server as one of BigQuery: a project, and where its interfaces are."""
    other = (data / _OTHER_PORT).read_text()
    options = {"endpoint": f"http://{LOOPBACK}:{address.port}", "grpc": f"{LOOPBACK}:{other}"}
    return replace(address, host=_PROJECT, port=None, options=options)


def _clear(connection: Connection) -> None:
    with connection.errors():
        connection.client.delete_dataset(
            connection.dataset, delete_contents=True, not_found_ok=True, timeout=60
        )
        connection.client.create_dataset(connection.dataset, timeout=60)


def _load(file: Path, connection: Connection) -> None:
    with closing(BigqueryDatabase(connection.address)) as database:
        database.execute(file.read_text(encoding="utf-8"), transaction=False)

"""The dev service of a MongoDB connection: `mongod` or `ferretdb` of this machine, else a container."""

from __future__ import annotations

from pathlib import Path

from windlass.connections import Address
from windlass.connectors.dev_server import Program, Server, start_server
from windlass.connectors.mongodb.client import Connection
from windlass.connectors.mongodb.extended_json import from_text
from windlass.devservices import DevService
from windlass.errors import FatalError
from windlass.ports import LOOPBACK

__all__ = ["start"]

_AT_ONCE = 1000


def start(service: DevService) -> Address:
    """The address of the server; started and initialised as far as needed."""
    programs = (Program("mongod", _mongod), Program("ferretdb", _ferretdb))
    return start_server(service, Server("MongoDB", programs, 27017, _connected, _clear, _load))


def _mongod(program: str, data: Path, port: int) -> tuple[str, ...]:
    return (program, "--dbpath", str(data), "--bind_ip", LOOPBACK, "--nounixsocket", f"--port={port}")


def _ferretdb(program: str, data: Path, port: int) -> tuple[str, ...]:
    """Of version 1, which keeps its data in SQLite by itself."""
    files = ("--handler=sqlite", f"--sqlite-url=file:{data}/", f"--state-dir={data}")
    quiet = ("--log-level=warn", "--telemetry=disable", "--debug-addr=-")
    return (program, *files, *quiet, f"--listen-addr={LOOPBACK}:{port}")


def _connected(address: Address) -> Connection:
    connection = Connection(address)
    with connection.closed_on_error(), connection.errors():
        connection.database.command("ping")
    return connection


def _clear(connection: Connection) -> None:
    with connection.errors():
        connection.client.drop_database(connection.database.name)


def _load(file: Path, connection: Connection) -> None:
    """Documents in Extended JSON, one a line, into the collection that is called as the file is."""
    collection, documents = connection.database[file.stem], []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = from_text(line)
        except ValueError as exc:
            raise FatalError(f"line {number} is not valid JSON: {exc}") from exc
        if not isinstance(found, dict):
            raise FatalError(f"line {number} is not a document", hint="expected {…} on each line")
        documents.append(found)
    with connection.errors():
        for first in range(0, len(documents), _AT_ONCE):
            collection.insert_many(documents[first : first + _AT_ONCE])

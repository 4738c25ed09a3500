"""The dev service of a MongoDB connection: `mongod` or `ferretdb` of this machine, else a container.

It listens on loopback, on a free port, and asks for no password.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from windlass import logs
from windlass.connections import Address
from windlass.connectors.mongodb.client import Connection
from windlass.connectors.mongodb.container import require_image
from windlass.connectors.mongodb.extended_json import from_text
from windlass.devservices import DevService
from windlass.devservices.initialised import is_initialised, mark_initialised
from windlass.devservices.running import has_launcher, note_port, noted_port
from windlass.errors import Code, FatalError, RetryableError, WindlassError
from windlass.ports import LOOPBACK, free_port
from windlass.processes.environment import for_containers
from windlass.processes.launch import launch

__all__ = ["start"]

_START_DEADLINE, _POLL = 120.0, 0.1
_AT_ONCE = 1000

_left_running: list[subprocess.Popen[bytes]] = []
"""The launchers, which may outlive this process: Python warns of a process that nobody holds."""


@dataclass(frozen=True)
class _Way:
    """How a server is started."""

    command: Callable[[int], Sequence[str]]
    """By its port."""

    data: Path | None = None
    """Where it keeps its data, if it does."""


def start(service: DevService) -> Address:
    """The address of the server; started and initialised as far as needed."""
    initialised = is_initialised(service)
    if has_launcher(service):
        if not initialised:
            message = f"the init files of {service.name!r} have changed while another run uses it"
            raise RetryableError(message, hint="wait for that run to end, or stop it (`windlass down`)")
    else:
        initialised = _launch(service, _way(service)) and initialised
    address = Address(
        "mongodb",
        LOOPBACK,
        noted_port(service),
        database=service.name.replace("-", "_"),
        origin="a dev service",
    )
    with closing(_connected(service, address)) as connection:
        if not initialised:
            _initialise(service, connection)
            mark_initialised(service)
    return address


def _way(service: DevService) -> _Way:
    """The first that this machine allows. Raises FatalError with what speaks against each when it allows none."""
    data = service.folder / "data"
    if (mongod := shutil.which("mongod")) is not None:
        return _Way(lambda port: (mongod, *_for_mongod(data), f"--port={port}"), data)
    if (ferretdb := shutil.which("ferretdb")) is not None:
        return _Way(lambda port: (ferretdb, *_for_ferretdb(data), f"--listen-addr={LOOPBACK}:{port}"), data)
    image = service.options.image
    try:
        require_image(image, service.project)
    except WindlassError as exc:
        raise _no_way(service, exc.message.splitlines()[0].rstrip(":")) from exc
    module = (sys.executable, "-m", "windlass.connectors.mongodb.container", _container(service), image)
    return _Way(lambda port: (*module, str(service.alive_lock), str(port)))


def _no_way(service: DevService, no_container: str) -> FatalError:
    return FatalError(
        f"connection {service.name!r} is not configured, and nothing here can stand in for MongoDB:"
        "\n    mongod: not on the PATH"
        "\n    ferretdb: not on the PATH"
        f"\n    a container of {service.options.image}: {no_container}",
        hint="install one of them, start Docker or Podman (`windlass doctor` says where they were looked for), or set "
        f"WINDLASS_CONN_{service.name.upper().replace('-', '_')}=mongodb://…",
        code=Code.DEV_SERVICE,
    )


def _for_mongod(data: Path) -> tuple[str, ...]:
    return ("--dbpath", str(data), "--bind_ip", LOOPBACK, "--nounixsocket")


def _for_ferretdb(data: Path) -> tuple[str, ...]:
    """Of version 1, which keeps its data in SQLite by itself."""
    files = ("--handler=sqlite", f"--sqlite-url=file:{data}/", f"--state-dir={data}")
    return (*files, "--log-level=warn", "--telemetry=disable", "--debug-addr=-")


def _launch(service: DevService, way: _Way) -> bool:
    """Start the server. Returns whether it has the data of the last one."""
    port = free_port()
    if way.data is not None:
        way.data.mkdir(exist_ok=True)
    with service.log.open("wb") as log:
        launcher = launch(
            way.command(port),
            service.users_lock,
            shared_by_users=True,
            alive=service.alive_lock,
            environment=for_containers(os.environ),
            folder=Path("/"),
            output=log,
        )
    _left_running.append(launcher)
    note_port(service, port)
    logs.info("dev_service_started", connection=service.name, type="mongodb", port=port)
    return way.data is not None


def _connected(service: DevService, address: Address) -> Connection:
    """A connection to the server, once it answers."""
    deadline = time.monotonic() + _START_DEADLINE
    while True:
        connection = Connection(address)
        try:
            with connection.errors():
                connection.database.command("ping")
        except RetryableError as exc:
            connection.close()
            if time.monotonic() > deadline or not has_launcher(service):
                log = service.log.read_text(errors="replace").strip().splitlines()[-8:] or [exc.message]
                shown = "".join(f"\n    {line}" for line in log)
                message = f"the dev service of {service.name!r} did not start:{shown}"
                raise FatalError(message, code=Code.DEV_SERVICE) from exc
            time.sleep(_POLL)
        else:
            return connection


def _initialise(service: DevService, connection: Connection) -> None:
    """Begin with an empty database, and load the init files."""
    with connection.errors():
        connection.client.drop_database(connection.database.name)
    for name in service.options.init:
        try:
            _load(service.project / name, connection)
        except WindlassError as exc:
            raise FatalError(f"{name}: {exc.message}", hint=exc.hint, code=Code.DEV_SERVICE) from exc
        logs.info("dev_service_initialised", connection=service.name, file=name)


def _load(file: Path, connection: Connection) -> None:
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


def _container(service: DevService) -> str:
    return f"windlass-mongodb-{hashlib.sha256(str(service.folder).encode()).hexdigest()[:12]}"

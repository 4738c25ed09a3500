"""The dev service of a connection to a server: a program of this machine that is such a server, else a container.

It listens on loopback, on a free port, and asks for no password. What a connector adds is how its programs are called, how
it connects, and what its init files are.
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
from typing import Generic, Protocol, TypeVar

from windlass import logs
from windlass.connections import STAND_IN, Address
from windlass.connectors.dev_container import require_image
from windlass.devservices import DevService
from windlass.devservices.initialised import is_initialised, mark_initialised
from windlass.devservices.running import has_launcher, note_port, noted_port
from windlass.errors import Code, FatalError, RetryableError, WindlassError, naming
from windlass.ports import LOOPBACK, free_port
from windlass.processes.environment import for_containers
from windlass.processes.launch import launch

__all__ = ["Program", "Server", "start_server"]

_START_DEADLINE, _POLL = 120.0, 0.1
_WAYS = "install one of them, start Docker or Podman (`windlass doctor` says where they were looked for)"

_left_running: list[subprocess.Popen[bytes]] = []
"""The launchers, which may outlive this process: Python warns of a process that nobody holds."""


class Closes(Protocol):
    """Something that is connected."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closes)


@dataclass(frozen=True)
class Program:
    """A program that may be on the PATH. `command` is how it is called: by its path, a folder for its data, and a port."""

    name: str
    command: Callable[[str, Path, int], Sequence[str]]
    unfit: Callable[[str], str | None] = lambda path: None
    """Why the program at that path is not what is wanted."""


@dataclass(frozen=True)
class Server(Generic[C]):
    """What a connector knows of its servers."""

    title: str
    """What people call it."""

    programs: Sequence[Program]
    port: int | None
    """Where it listens in a container; None where there is no image of it."""

    connect: Callable[[Address], C]
    """Raises RetryableError as long as it does not answer."""

    clear: Callable[[C], None]
    """Begin with an empty database."""

    load: Callable[[Path, C], None]
    """Load one init file."""

    environment: Sequence[str] = ()
    """Variables of the container, as `NAME=value`."""


@dataclass(frozen=True)
class _Way:
    """How a server is started: a command by its port, and where it keeps its data, if it does."""

    command: Callable[[int], Sequence[str]]
    data: Path | None = None


def start_server(service: DevService, server: Server[C]) -> Address:
    """The address of the server; started and initialised as far as needed."""
    initialised, launcher = is_initialised(service), None
    if has_launcher(service):
        if not initialised:
            message = f"the init files of {service.name!r} have changed while another run uses it"
            raise RetryableError(message, hint="wait for that run to end, or stop it (`windlass down`)")
    else:
        way = _way(service, server)
        launcher = _launch(service, way)
        initialised = initialised and way.data is not None
    database = service.name.replace("-", "_")
    address = Address(service.type, LOOPBACK, noted_port(service), database=database, origin=STAND_IN)
    with closing(_connected(service, server, address, launcher)) as connection:
        if not initialised:
            _initialise(service, server, connection)
            mark_initialised(service)
    return address


def _way(service: DevService, server: Server[C]) -> _Way:
    """The first that this machine allows. Raises FatalError with what speaks against each when it allows none."""
    data, against = service.folder / "data", []
    for program in server.programs:
        path = shutil.which(program.name)
        why = "not on the PATH" if path is None else program.unfit(path)
        if path is not None and why is None:
            return _of(program, path, data)
        against.append(f"{program.name}: {why}")
    if server.port is None:
        raise _no_way(service, server, against)
    image = service.options.image
    try:
        require_image(image, service.project)
    except WindlassError as exc:
        against.append(f"a container of {image}: {exc.message.splitlines()[0].rstrip(':')}")
        raise _no_way(service, server, against) from exc
    module = (sys.executable, "-m", "windlass.connectors.dev_container", _container(service), image)
    alive = str(service.alive_lock)
    return _Way(lambda port: (*module, alive, str(port), str(server.port), *server.environment))


def _of(program: Program, path: str, data: Path) -> _Way:
    return _Way(lambda port: program.command(path, data, port), data)


def _no_way(service: DevService, server: Server[C], against: Sequence[str]) -> FatalError:
    shown = "".join(f"\n    {each}" for each in against)
    variable = f"WINDLASS_CONN_{service.name.upper().replace('-', '_')}"
    ways = "install it" if server.port is None else _WAYS
    return FatalError(
        f"connection {service.name!r} is not configured, and nothing here can stand in for {server.title}:{shown}",
        hint=f"{ways}, or set {variable}={service.type}://…",
        code=Code.DEV_SERVICE,
    )


def _launch(service: DevService, way: _Way) -> subprocess.Popen[bytes]:
    """Start the server. Returns its launcher."""
    port = free_port()
    if way.data is not None:
        way.data.mkdir(exist_ok=True)
    with naming(service.log), service.log.open("wb") as log:
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
    logs.info("dev_service_started", connection=service.name, type=service.type, port=port)
    return launcher


def _connected(
    service: DevService, server: Server[C], address: Address, launcher: subprocess.Popen[bytes] | None
) -> C:
    """A connection to the server, once it answers."""
    deadline = time.monotonic() + _START_DEADLINE
    while True:
        try:
            return server.connect(address)
        except RetryableError as exc:
            has_ended = launcher.poll() is not None if launcher is not None else not has_launcher(service)
            if has_ended or time.monotonic() > deadline:
                raise _not_started(service, exc) from exc
            time.sleep(_POLL)


def _not_started(service: DevService, error: RetryableError) -> FatalError:
    log = service.log.read_text(errors="replace").strip().splitlines()[-8:] or [error.message]
    shown = "".join(f"\n    {line}" for line in log)
    return FatalError(f"the dev service of {service.name!r} did not start:{shown}", code=Code.DEV_SERVICE)


def _initialise(service: DevService, server: Server[C], connection: C) -> None:
    """Begin with an empty database, and load the init files."""
    server.clear(connection)
    for name in service.options.init:
        try:
            server.load(service.project / name, connection)
        except WindlassError as exc:
            raise FatalError(f"{name}: {exc.message}", hint=exc.hint, code=Code.DEV_SERVICE) from exc
        logs.info("dev_service_initialised", connection=service.name, file=name)


def _container(service: DevService) -> str:
    return f"windlass-{service.type}-{hashlib.sha256(str(service.folder).encode()).hexdigest()[:12]}"

"""Dev services: throw-away servers that stand in for connections which are not configured.

Each keeps its data under `.windlass/dev/NAME` and is shared by the runs that use it at the same time: a
run holds a shared lock on `users.lock` as long as it lives, and the server's launcher stops the server
when nobody holds it any more. So nothing is left running, whatever happens to a run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

from windlass import registry
from windlass.connections import Address
from windlass.devservices.running import has_launcher
from windlass.devservices.service import MESSAGES, DevService
from windlass.errors import Code, FatalError
from windlass.locks import locked, take
from windlass.options import read_options
from windlass.plan.model import Connection

__all__ = ["MESSAGES", "DevService", "DevServices", "can_stand_in", "files_of"]


Start: TypeAlias = Callable[[DevService], Address]
"""Starts a service, or finds it running, initialised; nobody else starts it meanwhile."""


class DevServices:
    """The dev services that one process uses. They may stop once it closes this, or ends."""

    def __init__(self, state: Path, project: Path) -> None:
        # absolute: the servers are started in other folders
        self._state, self._project = state.absolute(), project.absolute()
        self._held: dict[str, IO[str]] = {}
        self._started: dict[str, DevService] = {}

    def start(self, name: str, connection: Connection) -> Address:
        """Start the dev service of a connection. Raises WindlassError when it cannot be."""
        try:
            options = options_of(connection)
        except FatalError as exc:
            message = f"connection {name!r} is not configured, and no dev service can stand in: {exc.message}"
            hint = "say it in `dev:` of the connection, or configure the connection"
            raise FatalError(message, hint=hint, code=Code.NOT_CONFIGURED) from exc
        service = DevService(name, connection.type, options, self._state / "dev" / name, self._project)
        for folder in (service.folder.parent, service.folder):  # a server of another user passes through
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        start: Start = registry.load(str(registry.require(connection.type).dev_service))
        with locked(service.folder / "starting.lock"):
            self._hold(service)
            address = start(service)
        self._started[name] = service
        return address

    def ended(self) -> list[DevService]:
        """Those whose server has ended meanwhile. To start one again is to `start` it."""
        servers = [service for service in self._started.values() if service.alive_lock.exists()]
        return [service for service in servers if not has_launcher(service)]

    def close(self) -> None:
        """Let go of all of them."""
        for held in self._held.values():
            held.close()
        self._held.clear()
        self._started.clear()

    def _hold(self, service: DevService) -> None:
        """Wait for a server that is just stopping to be gone, then count as a user."""
        if service.name not in self._held:
            self._held[service.name] = take(service.users_lock, shared=True)


def options_of(connection: Connection) -> Any:
    """What `dev:` says of a connection; None where its connector takes nothing. Raises FatalError for what it does not
    take."""
    options = registry.require(connection.type).options
    model = getattr(registry.load(options), "DevService", None) if options is not None else None
    return read_options(model, connection.dev) if model is not None else None


def files_of(connection: Connection) -> tuple[str, ...]:
    """The files of the project that a connection's dev service is made from."""
    if not can_stand_in(connection):
        return ()
    options = options_of(connection)
    return tuple(options.files()) if options is not None else ()


def can_stand_in(connection: Connection) -> bool:
    """Whether there is a dev service for the connection, and it has what it needs."""
    if registry.require(connection.type).dev_service is None:
        return False
    try:
        options = options_of(connection)
    except (
        FatalError
    ):  # `dev:` has been checked where it stands; where nothing does, a key that is required is missing
        return False
    return options is None or options.lacks() is None

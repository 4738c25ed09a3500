"""The connections of one run: found where they are configured, else dev services that stand in."""

from __future__ import annotations

import threading
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

from windlass import registry
from windlass.connections import ORIGIN, Address, declared_address, places, resolve, variable
from windlass.devservices import DevServices, can_stand_in
from windlass.errors import Code, FatalError, WindlassError
from windlass.plan import model as plan
from windlass.state_folder import StateFolder

__all__ = ["FoundConnections"]


class FoundConnections:
    """Resolves each connection once; starts a dev service when a task first needs it. Implements `Connections`."""

    def __init__(
        self, declared: dict[str, plan.Connection], project: Path, state: StateFolder, *, dev: bool = True
    ) -> None:
        self._declared, self._project, self._dev = declared, project, dev
        self.dev_services: dict[str, str] = {}
        self._dev_services = DevServices(state.path, project)
        self._found: dict[str, Address] = {}
        self._locks = {name: threading.Lock() for name in declared}
        for name, connection in declared.items():  # a step may find what is nobody's business, such as `.env`
            with suppress(WindlassError):
                resolve(name, connection.type, project)

    def environment(self, names: tuple[str, ...]) -> dict[str, str]:
        """`WINDLASS_CONN_<NAME>` for each of the connections, and where that was found. Raises WindlassError for
        one that is nowhere.

        Dev services start at the same time.
        """
        addresses = self._at_once(names) if len(names) > 1 else {name: self.address(name) for name in names}
        origins = {variable(name, ORIGIN): address.origin for name, address in addresses.items()}
        return {variable(name): address.uri() for name, address in addresses.items()} | origins

    def _at_once(self, names: tuple[str, ...]) -> dict[str, Address]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=len(names)) as pool:
            found = {name: pool.submit(copy_context().run, self.address, name) for name in names}
            return {name: address.result() for name, address in found.items()}

    def address(self, name: str) -> Address:
        """Where the connection is."""
        with self._locks[name]:
            if name not in self._found:
                self._found[name] = replace(self._find(name), settings=self._declared[name].settings)
            return self._found[name]

    def close(self) -> None:
        self._dev_services.close()

    def _find(self, name: str) -> Address:
        declared = self._declared[name]
        found = resolve(name, declared.type, self._project)
        if found is not None:
            return found
        if not (self._dev and can_stand_in(declared)):
            known = declared_address(name, declared.type, declared.settings)
            if known is not None:
                return known
        may_stand_in = registry.require(declared.type).dev_service is not None
        if not self._dev or not may_stand_in:
            looked = "\n    ".join(place for place, _ in places(name, self._project))
            message = f"connection {name!r} is not configured; looked for it in\n    {looked}"
            hint = "configure it, or let a dev service stand in: leave out --no-dev" if may_stand_in else None
            raise FatalError(message, hint=hint, code=Code.NOT_CONFIGURED)
        address = self._dev_services.start(name, declared)
        self.dev_services[name] = declared.type
        return address

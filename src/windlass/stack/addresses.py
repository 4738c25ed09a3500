"""The connections of a project, for Airflow and pgAdmin: where each is, or the dev service that stands in."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from urllib.parse import urlencode

from windlass import registry
from windlass.connections import Address, declared_address, resolve
from windlass.devservices import DevService, DevServices, can_stand_in
from windlass.plan import model as plan
from windlass.spec import ProjectFiles
from windlass.spec.project import Connection
from windlass.state_folder import StateFolder

__all__ = ["Addresses", "for_airflow"]


class Addresses:
    """Finds every connection of the project, and keeps the dev services up that it starts."""

    def __init__(self, project: Path) -> None:
        self._dev_services = DevServices(StateFolder.of(project).path, project)

    def find(self, files: ProjectFiles) -> dict[str, Address | None]:
        """Each connection by its name; None for one that is nowhere and that no dev service can stand in for.

        Dev services start at the same time. Raises WindlassError.
        """
        declared = files.spec.connections
        with ThreadPoolExecutor(max_workers=len(declared) or 1) as pool:
            found = {
                name: pool.submit(copy_context().run, self._find, name, connection, files.root)
                for name, connection in declared.items()
            }
            return {name: address.result() for name, address in found.items()}

    def ended(self) -> list[DevService]:
        """The dev services whose servers have ended; `find` starts them again."""
        return self._dev_services.ended()

    def close(self) -> None:
        self._dev_services.close()

    def _find(self, name: str, declared: Connection, project: Path) -> Address | None:
        address = resolve(name, declared.type, project)
        if address is not None:
            return address
        connection = plan.Connection(type=declared.type, dev=declared.dev)
        # exported tasks tell somebody, or say that they cannot
        is_told = registry.require(declared.type).alert is not None
        if can_stand_in(connection) and not is_told:
            return self._dev_services.start(name, connection)
        return declared_address(name, declared.type, declared.settings)


def for_airflow(name: str, address: Address, description: str = "") -> dict[str, object]:
    """A connection as Airflow keeps it, and as the tasks of an exported pipeline read it there."""
    connection: dict[str, object] = {
        "connection_id": name,
        "conn_type": address.type,
        "description": description or f"from {address.origin}",
    }
    if address.form == "file":
        return {**connection, "host": address.database}
    if address.form == "secret_url":
        host = f"{address.scheme}://{address.host}"
        kind = registry.require(address.type).schemes[0]
        more = address.user or address.password or address.port or address.options
        secret = address.uri() if more else address.database  # which alone is what Slack's own provider has
        return {**connection, "conn_type": kind, "host": host, "password": secret}
    who = {"login": address.user or None, "password": address.password or None}
    if address.form == "url":
        # a query may hold a key, and Airflow encrypts `extra`, not `host`
        query = json.dumps({"query": urlencode(address.options)}) if address.options else None
        return {**connection, **who, "host": _url_without_user(address), "extra": query}
    where = {"host": address.host, "port": address.port, "schema": address.database or None}
    extra = json.dumps(address.options) if address.options else None
    return {**connection, **who, **where, "extra": extra}


def _url_without_user(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    port = f":{address.port}" if address.port else ""
    path = f"/{address.database}" if address.database else ""
    return f"{address.scheme or 'http'}://{host}{port}{path}"

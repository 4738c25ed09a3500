"""What tables and files are called in lineage, by the naming of OpenLineage (https://openlineage.io/docs/spec/naming).

Two tools that name a table alike are joined by it: so a server is named by its address, not by what a project calls the
connection. A connection that is configured nowhere, for which a dev service stands in, has only that: `postgres://pg_x`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from windlass import registry
from windlass.connections import Address, declared_address, resolve
from windlass.errors import WindlassError
from windlass.plan.model import Action, Connection, Copy, Destination, Download, Source, Subject

__all__ = ["Named", "Names"]


class Named(NamedTuple):
    """A dataset."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Names:
    """Names what the tasks of a plan read and write."""

    connections: Mapping[str, Connection]
    project: Path
    workspace: Path
    _addresses: dict[str, Address | None] = field(default_factory=dict)

    def read(self, action: Action) -> list[Named]:
        """What an action reads, as far as it says so: a query and a command do not."""
        match action:
            case Copy(source=source):
                return self._sources(source)
            case Subject(source=Source() as source):
                return self._sources(source)
            case Subject(connection=None, path=str(path)):
                return [self._file(path)]
            case Subject(connection=str(connection), table=str(table)):
                return [self._in(connection, table)]
            case Download(url=str(url)):
                return [_of_url(url)]
            case Download(connection=str(connection), path=path):
                return [self._in(connection, path or "")]
        return []

    def written(self, action: Action) -> list[Named]:
        """What an action writes, as far as it says so."""
        match action:
            case Copy(destination=destination):
                return self._end(destination)
            case Download(to=path):
                return [self._file(path)]
        return []

    def _sources(self, source: Source) -> list[Named]:
        return [
            named for end in (source, *(inner for _, inner in source.inner())) for named in self._end(end)
        ]

    def _end(self, end: Source | Destination) -> list[Named]:
        if end.path is not None:
            return [self._file(end.path)]
        place = end.rows_in or end.options.get("path")
        return [self._in(end.connection, str(place))] if end.connection and place else []

    def _file(self, path: str) -> Named:
        return _of_url(path) if "://" in path else Named("file", str(self.workspace / path))

    def _in(self, connection: str, place: str) -> Named:
        """A place in a connection: a table, a collection, a path of an API."""
        address = self._address(connection)
        if address is None:
            return Named(f"{self.connections[connection].type}://{connection}", place)
        kind = registry.require(address.type)
        if address.form == "url":
            path = "/".join(part.strip("/") for part in (address.database, place) if part)
            return Named(f"{address.scheme or 'https'}://{_host(address, None)}", f"/{path}")
        if address.form == "file":
            return Named(f"{address.type}:{self.project / address.database}", place)
        whole = place if not kind.schema or "." in place else f"{kind.schema}.{place}"
        name = f"{address.database}.{whole}" if address.database else whole
        return Named(f"{address.type}://{_host(address, kind.port)}", name)

    def _address(self, connection: str) -> Address | None:
        if connection not in self._addresses:
            self._addresses[connection] = self._found(connection)
        return self._addresses[connection]

    def _found(self, connection: str) -> Address | None:
        declared = self.connections[connection]
        try:
            found = resolve(connection, declared.type, self.project)
            return found or declared_address(connection, declared.type, declared.settings)
        except WindlassError:  # the task that needs it says so
            return None


def _host(address: Address, port: int | None) -> str:
    """Host and port, without who asks."""
    host = (
        f"[{address.host}]"
        if ":" in address.host and "," not in address.host
        else address.host or "localhost"
    )
    known = address.port or (port if "," not in host else None)
    return f"{host}:{known}" if known else host


def _of_url(url: str) -> Named:
    """An object of a store, or a page: without user, password and query, which may be secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    path = parts.path if parts.scheme in ("http", "https") else parts.path.lstrip("/")
    return Named(f"{parts.scheme}://{host}", path or "/")

"""What has to be configured for a pipeline, and where it was found here. No value is ever kept, nor part of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from windlass import registry
from windlass.connections import (
    declared_address,
    resolve,
    secret_places,
    secret_variable,
    variable,
)
from windlass.devservices import can_stand_in
from windlass.errors import WindlassError
from windlass.plan.model import Connection, Plan, Reference

__all__ = ["Finder", "Need"]


@dataclass(frozen=True)
class Need:
    """A connection or a secret of a pipeline."""

    name: str
    kind: str
    """The type of a connection, or `secret`."""

    variable: str
    is_secret: bool
    """Whether what is configured there is nobody else's business; the path of a file is."""

    found: str | None
    """Where; None where it is nowhere."""

    stand_in: bool
    """Whether `windlass run` starts a dev service where it is nowhere."""

    used_by: tuple[str, ...]
    """The tasks; none for one that only alerts need."""


class Finder:
    """Looks for what pipelines need, for each once."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._secret = cache(self._find_secret)
        self._found: dict[str, str | None] = {}

    def needs(self, plan: Plan) -> tuple[Need, ...]:
        """What a pipeline needs: its connections, then its secrets."""
        users = _users(plan)
        connections = [
            Need(
                name=name,
                kind=connection.type,
                variable=variable(name),
                is_secret=registry.require(connection.type).form != "file",
                found=self._connection(name, connection),
                stand_in=can_stand_in(connection),
                used_by=tuple(users.get(name, ())),
            )
            for name, connection in plan.connections.items()
        ]
        return (*connections, *self._secrets(plan))

    def _secrets(self, plan: Plan) -> Iterable[Need]:
        users: dict[tuple[str, str | None], list[str]] = {}
        for task in plan.tasks:
            references: Mapping[str, Reference] = getattr(task.action, "references", {})
            for reference in references.values():
                if reference.secret is not None:
                    names = users.setdefault((reference.secret, reference.key), [])
                    names += [] if task.name in names else [task.name]
        for (name, key), tasks in users.items():
            yield Need(
                name=name if key is None else f"{name}: {key}",
                kind="secret",
                variable=secret_variable(name, key),
                is_secret=True,
                found=self._secret(name, key),
                stand_in=False,
                used_by=tuple(tasks),
            )

    def _connection(self, name: str, connection: Connection) -> str | None:
        if name not in self._found:
            self._found[name] = self._find_connection(name, connection)
        return self._found[name]

    def _find_connection(self, name: str, connection: Connection) -> str | None:
        try:
            address = resolve(name, connection.type, self._project)
            if address is None and not can_stand_in(connection):
                address = declared_address(name, connection.type, connection.settings)
        except WindlassError as exc:
            return f"cannot be read ({exc.code})"
        return self._inside(address.origin) if address is not None else None

    def _find_secret(self, name: str, key: str | None) -> str | None:
        for place, look in secret_places(name, key, self._project).items():
            try:
                if look():
                    return self._inside(place)
            except WindlassError as exc:
                return f"cannot be read ({exc.code})"
        return None

    def _inside(self, place: str) -> str:
        """The place without the folders that lead to the project, which are nobody else's."""
        return place.replace(f"{self._project}/", "")


def _users(plan: Plan) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {}
    for task in plan.tasks:
        for name in task.connections:
            users.setdefault(name, []).append(task.name)
    return users

"""What comes of a document: a connection, a pipeline, and what could not be translated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from windlass.importing.names import unused

__all__ = ["Imported"]

_SECRETS = {
    "basic": "https://USER:PASSWORD@{host}",
    "bearer": "https://:TOKEN@{host}",
    "api_key": "https://:KEY@{host}",
    "oauth2": "https://CLIENT:SECRET@{host}",
    "session": "https://USER:PASSWORD@{host}",
}


@dataclass
class Imported:
    """A connection, and the copies from it."""

    name: str
    description: str = ""
    connection: dict[str, Any] = field(default_factory=lambda: {"type": "http"})
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each task reads, by its name."""

    parents: dict[str, str] = field(default_factory=dict)
    """The task that loads what another one makes a request for each of."""

    keys: dict[str, list[str]] = field(default_factory=dict)
    """The columns that identify a record, of each task that tells."""

    cursors: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What `incremental` is, of each task that has a cursor."""

    params: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What was not translated, a line each."""

    def add(self, name: str, source: dict[str, Any], parent: str | None = None) -> str:
        """Add a task, whose requests are for each of what the task `parent` loads. Returns its name, which is another one
        where this is taken.
        """
        task = unused(name, self.sources)
        if parent is not None:
            self.parents[task] = parent
        self.sources[task] = {"connection": self.name, **source}
        return task

    def note(self, where: str, what: str) -> None:
        if (line := f"{where}: {what}") not in self.notes:
            self.notes.append(line)

    @property
    def variable(self) -> str | None:
        """What to say where the secret belongs; None where there is none."""
        auth = self.connection.get("auth") or next(iter(self.connection.get("auths", {}).values()), None)
        if auth is None:
            return None
        base = str(self.connection.get("base_url", "https://HOST")).partition("://")[2]
        address = _SECRETS[auth["type"]].format(host=base)
        if auth.get("grant") == "refresh_token":
            address += "?refresh_token=TOKEN"
        return f"WINDLASS_CONN_{self.name.upper()}={address}"

    def pipeline(self, to: str | None) -> dict[str, Any]:
        """The pipeline: into tables of the connection `to`, else into files."""
        tasks = {name: self._task(name, to) for name in self.sources}
        head = {"pipeline": self.name, "description": self.description, "params": self.params}
        return {key: value for key, value in head.items() if value} | {"tasks": tasks}

    def _task(self, name: str, to: str | None) -> dict[str, Any]:
        source, key = dict(self.sources[name]), self.keys.get(name)
        incremental = self.cursors.get(name) if to is not None and key else None
        if incremental is None and "since" in source:
            source["since"] = {key: value for key, value in source["since"].items() if key != "window"}
        copy = {"from": source, "to": self._file(name)}
        if to is not None:
            copy["to"] = {"connection": to, "table": name, **({"mode": "merge", "key": key} if key else {})}
        if incremental is not None:
            copy["incremental"] = incremental
        parent = self.parents.get(name)
        if parent is None:
            return {"copy": copy}
        place = self._file(parent) if to is None else {"connection": to, "table": parent}
        source["parent"] = {**place, **source["parent"]}
        return {"needs": [parent], "copy": copy}

    def _file(self, name: str) -> dict[str, Any]:
        return {"path": f"{self.name}/{name}.ndjson"}

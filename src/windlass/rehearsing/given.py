"""What a cluster would give a container: keys of Secrets and of ConfigMaps, and who its pod is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from windlass.connections import ORIGIN, STAND_IN, variable
from windlass.connections.secret import secret_value
from windlass.errors import FatalError
from windlass.rehearsing.manifests import Json, Manifests
from windlass.rehearsing.text import expanded
from windlass.runner.connections import FoundConnections

__all__ = ["Given"]


@dataclass(frozen=True)
class Given:
    """Where the environment of containers comes from."""

    project: Path
    manifests: Manifests
    connections_secret: str
    """The Secret whose keys are the connections."""

    names: Mapping[str, str]
    """The name of each connection of the pipeline, by its variable."""

    found: FoundConnections
    reached: Callable[[str], str]
    """An address, as containers reach it."""

    def environment(self, container: Json, labels: Mapping[str, str]) -> dict[str, str]:
        """The variables of a container in a pod with these labels. Raises WindlassError for what is nowhere."""
        if "envFrom" in container:
            hint = "leave out `secrets` and `config_maps` of the pipeline for it, or name single keys"
            raise FatalError("a rehearsal cannot know every key that `envFrom` would give", hint=hint)
        made: dict[str, str] = {}
        for entry in container.get("env", ()):
            made[entry["name"]] = self._value(entry, labels, made)
        # what no manifest says: that a server asks nobody who they are
        made |= {variable(name, ORIGIN): STAND_IN for name in self.found.dev_services}
        return made

    def _value(self, entry: Json, labels: Mapping[str, str], made: Mapping[str, str]) -> str:
        if "valueFrom" not in entry:
            return expanded(entry.get("value", ""), made)
        ((how, what),) = entry["valueFrom"].items()
        if how == "fieldRef":
            return _field(what["fieldPath"], labels)
        if how == "configMapKeyRef":
            return self.manifests.config_map(what["name"])[what["key"]]
        if how == "secretKeyRef":
            return self._secret(what["name"], what["key"])
        raise FatalError(f"a rehearsal does not know what `valueFrom: {how}` is")

    def _secret(self, name: str, key: str) -> str:
        connection = self.names.get(key) if name == self.connections_secret else None
        if connection is None:
            return secret_value(name, key, self.project, os.environ)
        address = self.found.address(connection)
        if address.form == "file":
            hint = "rehearse it with a server, as it would have in a cluster"
            raise FatalError(
                f"connection {connection!r} is a file of this machine, which no pod has", hint=hint
            )
        return self.reached(address.uri())


def _field(path: str, labels: Mapping[str, str]) -> str:
    name = path.removeprefix("metadata.labels['").removesuffix("']")
    if name not in labels:
        raise FatalError(f"a rehearsal does not know the field {path!r} of a pod")
    return labels[name]

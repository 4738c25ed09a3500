"""One container, as a manifest has it, on the engine of this machine."""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from windlass.errors import Code, FatalError
from windlass.rehearsing.given import Given
from windlass.rehearsing.manifests import Json
from windlass.rehearsing.text import expanded
from windlass.runtimes.docker.doors import Doors
from windlass.runtimes.docker.engine import Engine, telling
from windlass.runtimes.docker.execution import ContainerExecution
from windlass.runtimes.docker.leftovers import MACHINE, WANTED, machine, remove

__all__ = ["Ran", "Stage", "Tell", "started", "watched"]

_KNOWN = {
    *(
        "name",
        "image",
        "command",
        "args",
        "workingDir",
        "env",
        "volumeMounts",
        "securityContext",
        "resources",
    ),
    *("restartPolicy", "startupProbe", "readinessProbe", "imagePullPolicy"),
}
"""Of a container, what is done here, or says nothing that one machine could do otherwise."""


Tell: TypeAlias = Callable[[str, Sequence[str]], None]
"""Gets what a container prints: its name, and lines."""


@dataclass(frozen=True)
class Stage:
    """What all containers of a rehearsal have in common."""

    engine: Engine
    doors: Doors
    given: Given
    project: Path
    run_id: str
    wanted: Path
    """The lock by which they live."""

    tell: Tell
    _over: threading.Event = field(default_factory=threading.Event)

    def clear(self) -> None:
        """Start nothing more, and remove what there is: whoever waits for a container learns that it has ended."""
        self._over.set()
        mine = {"label": [f"windlass.run={self.run_id}", f"{WANTED}={self.wanted}"]}
        for container in self.engine.client.containers(all=True, filters=mine):
            remove(self.engine, container["Id"])

    def check(self) -> None:
        """Raise FatalError when it is over."""
        if self._over.is_set():
            raise FatalError("the rehearsal was stopped")


@dataclass
class Ran:
    """What became of one container."""

    name: str
    code: int
    began: float
    ended: float
    tries: int = 1
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What windlass said of its result: rows, bytes."""


def started(
    stage: Stage,
    container: Json,
    *,
    labels: Mapping[str, str],
    volumes: Mapping[str, Path],
    network: str,
    ports: Mapping[int, int],
) -> tuple[ContainerExecution, str]:
    """Start it; returns it and its id. Raises WindlassError where the engine cannot."""
    if unknown := container.keys() - _KNOWN:
        raise FatalError(f"a rehearsal does not know `{min(unknown)}` of a container")
    stage.check()
    engine, client = stage.engine, stage.engine.client
    made = _made(stage, container, labels, volumes, network, ports)
    try:
        said = client.output_of(made)
        with telling(f"start the container {container['name']}"):
            client.start(made)
    except BaseException:
        remove(engine, made)
        raise
    command = container.get("command", [None])
    return ContainerExecution(engine, made, said, program=command[0], memory=None, gone=lambda: None), made


def watched(stage: Stage, name: str, execution: ContainerExecution) -> Ran:
    """Tell what it prints until it ends; what became of it."""
    began = time.monotonic()
    figures: dict[str, Any] = {}
    for lines in execution.output():
        for line in lines:
            figures |= _figures(line)
        stage.tell(name, lines)
    return Ran(name, execution.wait(), began, time.monotonic(), figures=figures)


def _figures(line: str) -> dict[str, Any]:
    """What a line of windlass says of a result."""
    if '"result"' not in line:
        return {}
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    is_result = isinstance(record, dict) and record.get("event") == "result"
    return {key: value for key, value in record.items() if key in _FIGURES} if is_result else {}


_FIGURES = ("rows_read", "rows_written", "rows_quarantined", "bytes")


def _made(
    stage: Stage,
    container: Json,
    labels: Mapping[str, str],
    volumes: Mapping[str, Path],
    network: str,
    ports: Mapping[int, int],
) -> str:
    from docker.errors import ImageNotFound

    environment = stage.given.environment(container, labels)
    command = [expanded(part, environment) for part in container.get("command", ())]
    arguments = [expanded(part, environment) for part in container.get("args", ())]
    client, name = stage.engine.client, container["name"]
    with telling(f"make the container {name}"):
        try:
            made = client.create_container(
                container["image"],
                command=arguments or None,
                entrypoint=command or None,
                working_dir=container.get("workingDir"),
                environment=environment,
                user=_user(stage, container),
                name=re.sub(
                    r"[^a-zA-Z0-9_.-]+", "-", f"windlass-{stage.run_id}-{name}-{secrets.token_hex(3)}"
                ),
                ports=list(ports),
                labels=_labels(stage, name),
                host_config=_host(stage, container, volumes, network, ports),
            )
        except ImageNotFound:
            hint = "build it: windlass build; what runs in the project's own needs `images: {project: …}`"
            message = f"the engine has no image {container['image']}"
            raise FatalError(message, hint=hint, code=Code.NO_IMAGE) from None
    return str(made["Id"])


def _labels(stage: Stage, name: str) -> dict[str, str]:
    """By which they are found, and removed when this process is gone."""
    return {
        "windlass.project": str(stage.project),
        "windlass.run": stage.run_id,
        "windlass.task": name,
        MACHINE: machine(),
        WANTED: str(stage.wanted),
    }


def _host(
    stage: Stage, container: Json, volumes: Mapping[str, Path], network: str, ports: Mapping[int, int]
) -> dict[str, Any]:
    from docker.types import Mount

    from windlass.ports import LOOPBACK
    from windlass.runtimes.docker.host_paths import host_path

    joined = network.startswith("container:")
    limits = container.get("resources", {}).get("limits", {})
    made: dict[str, Any] = stage.engine.client.create_host_config(
        mounts=[
            Mount(
                mount["mountPath"],
                host_path(stage.engine, volumes[mount["name"]]),
                type="bind",
                read_only=mount.get("readOnly", False),
            )
            for mount in container.get("volumeMounts", ())
        ],
        network_mode=network,
        port_bindings={inner: (LOOPBACK, here) for inner, here in ports.items()} or None,
        extra_hosts=None if joined else stage.engine.names,
        mem_limit=_bytes(limits["memory"]) if "memory" in limits else None,
        init=True,
        security_opt=["label=disable"] if stage.engine.has_selinux else None,
    )
    return made


def _user(stage: Stage, container: Json) -> str | None:
    """Who it runs as: whom the manifest says, else who may remove afterwards what it wrote."""
    said = container.get("securityContext", {})
    if "runAsUser" in said:
        return f"{said['runAsUser']}:{said.get('runAsGroup', 0)}"
    return "0:0" if stage.engine.is_rootless else f"{os.getuid()}:{os.getgid()}"


_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "m": 1e-3}


def _bytes(quantity: str) -> int:
    """A quantity of memory, such as 512Mi, as a number.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(quantity))
    if found is None or found[2] not in _UNITS:
        raise FatalError(f"a rehearsal does not know the quantity {quantity!r}")
    return int(float(found[1]) * _UNITS[found[2]])

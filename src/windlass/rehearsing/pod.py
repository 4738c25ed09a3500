"""A pod: init containers in turn, sidecars beside them, and then what it is there for.

Containers of a pod share its loopback. Here the first sidecar has the network, and the others join it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection

from windlass.errors import FatalError
from windlass.files import write_file
from windlass.ports import LOOPBACK, free_port, open_directly
from windlass.rehearsing.container import Ran, Stage, started, watched
from windlass.rehearsing.manifests import Json, Manifests
from windlass.runtimes.docker.execution import ContainerExecution
from windlass.runtimes.docker.leftovers import remove

__all__ = ["Pod", "Volumes", "made"]

_LOOK = 0.1  # seconds between two looks whether a service is ready


@dataclass(frozen=True)
class Volumes:
    """The volumes of pods as folders here: an empty one is new for each pod, the workspace is there for the whole run."""

    folder: Path
    """Below which they are."""

    workspace: Path
    manifests: Manifests

    def of(self, pod: str, volumes: Iterable[Json]) -> dict[str, Path]:
        """The folder of each volume of a pod. Raises FatalError for one of a kind that is not known here."""
        return {volume["name"]: self._folder(pod, volume) for volume in volumes}

    def _folder(self, pod: str, volume: Json) -> Path:
        name = volume["name"]
        if (
            name == "workspace"
        ):  # claimed or empty: whoever looks afterwards finds in it what the last pod has left
            return self.workspace
        folder = made(self.folder / pod / name)
        kind, what = next(item for item in volume.items() if item[0] != "name")
        if kind == "configMap":
            for key, text in self.manifests.config_map(what["name"]).items():
                write_file(folder / key, text)
        elif kind != "emptyDir":
            raise FatalError(f"a rehearsal does not know what volume {name!r} is: {kind}")
        return folder


def made(folder: Path) -> Path:
    """A new folder that whoever runs in a container may write to, as one of a cluster."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    return folder


@dataclass
class Pod:
    """One pod, from its start to its end."""

    stage: Stage
    spec: Json
    labels: Mapping[str, str]
    volumes: Mapping[str, Path]
    ran: list[Ran] = field(default_factory=list)
    """What has ended, in turn."""

    _network: str | None = None
    """That of the first sidecar, which the others join."""

    _address: str = ""
    _published: Mapping[int, int] = field(default_factory=dict)

    def run(self) -> bool:
        """Whether every container of it has succeeded. The first that fails ends it."""
        (container,) = self.spec["containers"]
        with ExitStack() as sidecars:
            return self._before(sidecars) and self._once(container)

    @contextmanager
    def daemon(self) -> Iterator[str]:
        """Its container, ready until the end; the address of the pod, for others."""
        (container,) = self.spec["containers"]
        with ExitStack() as sidecars:
            if not self._before(sidecars):
                raise FatalError(f"{self.ran[-1].name}, before {container['name']}, failed")
            yield sidecars.enter_context(self._up(container))

    def _before(self, sidecars: ExitStack) -> bool:
        """Whether all that comes before its container has succeeded, or is ready."""
        for container in self.spec.get("initContainers", ()):
            if container.get("restartPolicy") == "Always":
                sidecars.enter_context(self._up(container))
            elif not self._once(container):
                return False
        return True

    def _once(self, container: Json) -> bool:
        execution, _ = started(
            self.stage, container, labels=self.labels, volumes=self.volumes, network=self._joined(), ports={}
        )
        try:
            self.ran.append(watched(self.stage, container["name"], execution))
        except BaseException:
            execution.stop()
            raise
        return self.ran[-1].code == 0

    @contextmanager
    def _up(self, container: Json) -> Iterator[str]:
        """A container that is ready until the end; the address of the pod."""
        probe = _probe(container)
        if self._network is None:
            self._published = {port: free_port() for port in self._ports()}
        execution, made = started(
            self.stage,
            container,
            labels=self.labels,
            volumes=self.volumes,
            network=self._joined(),
            ports=self._published if self._network is None else {},
        )
        beside = threading.Thread(
            target=watched, args=(self.stage, container["name"], execution), daemon=True
        )
        beside.start()
        try:
            if self._network is None:
                self._network, self._address = f"container:{made}", self._address_of(made)
            if probe:
                _await(container, probe, self._reached(_port(probe)), execution, beside)
            yield self._address
        finally:
            execution.stop()
            beside.join()
            remove(self.stage.engine, made)

    def _joined(self) -> str:
        return self._network or self.stage.engine.bridge

    def _ports(self) -> list[int]:
        """Those that somebody waits for, in all of the pod."""
        everyone = (*self.spec.get("initContainers", ()), *self.spec["containers"])
        return [_port(probe) for probe in map(_probe, everyone) if probe]

    def _reached(self, port: int) -> tuple[str, int]:
        """Where this process reaches a port of the pod."""
        if self.stage.doors.leads_to(self.stage.engine.bridge):
            return self._address, port
        return LOOPBACK, self._published[port]

    def _address_of(self, container: str) -> str:
        networks = self.stage.engine.client.inspect_container(container)["NetworkSettings"]["Networks"]
        return str((networks.get(self.stage.engine.bridge) or {}).get("IPAddress") or "")


def _probe(container: Json) -> Json:
    """How to find out whether it is ready; empty for one that nobody waits for."""
    found: Json = container.get("startupProbe") or container.get("readinessProbe") or {}
    return found


def _port(probe: Json) -> int:
    how = probe.get("httpGet") or probe.get("tcpSocket")
    if how is None:
        raise FatalError(f"a rehearsal does not know the probe {', '.join(probe)}")
    return int(how["port"])


def _await(
    container: Json,
    probe: Json,
    where: tuple[str, int],
    execution: ContainerExecution,
    beside: threading.Thread,
) -> None:
    """Wait until it is ready. Raises FatalError when it ends, or the probe has failed as often as it may."""
    seconds = float(probe.get("periodSeconds", 10)) * int(probe.get("failureThreshold", 3))
    deadline = time.monotonic() + seconds
    while not _answers(probe, where):
        if not beside.is_alive():
            raise FatalError(
                f"{container['name']} ended with exit code {execution.wait()} before it was ready"
            )
        if time.monotonic() > deadline:
            raise FatalError(f"{container['name']} was not ready within {seconds:g} s")
        time.sleep(_LOOK)


def _answers(probe: Json, where: tuple[str, int]) -> bool:
    host, port = where
    try:
        if "httpGet" in probe:
            with open_directly(f"http://{host}:{port}{probe['httpGet']['path']}", 1) as answer:
                return 200 <= int(answer.status) < 400
        create_connection(where, 1).close()
    except OSError:  # URLError is one
        return False
    return True

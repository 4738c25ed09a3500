"""Units as containers of an engine of this machine.

What runs in the project's own image, windlass itself above all, it leaves to processes where the project has no such image
(docs/adr/0046, 0055).
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from windlass import logs
from windlass.errors import Code, FatalError
from windlass.plan.travel import VARIABLE, is_digest
from windlass.plan.unit import PROJECT, Unit
from windlass.ports import LOOPBACK, free_port
from windlass.runtimes import Execution, Site
from windlass.runtimes.docker.doors import Doors, moved
from windlass.runtimes.docker.engine import SEE_DOCTOR, engine_of, telling
from windlass.runtimes.docker.execution import ContainerExecution, no_program
from windlass.runtimes.docker.host_paths import host_path, sibling
from windlass.runtimes.docker.images import Images
from windlass.runtimes.docker.leftovers import MACHINE, WANTED, machine, remove, remove_leftovers
from windlass.runtimes.docker.probing import has_files_of

__all__ = ["DockerRuntime"]

_PATIENCE = 60.0  # seconds that an engine may take to start again
_NO_INIT = re.compile("catatonit|docker-init|init binary")  # an engine may be installed without one
_NO_PROGRAM = "executable file not found"  # of an engine whose containers begin without one
_LOG = {"type": "json-file", "config": {"max-size": "10m", "max-file": "3"}}


@dataclass
class _Published:
    """A service, and the port of this machine where it is reached."""

    name: str
    here: int
    port: int
    """Its own, in the container."""

    network: str
    address: str | None = None
    """Of its container in that network, while it runs."""

    def is_gone(self) -> None:
        self.address = None


class DockerRuntime:
    """Executes steps and services in containers. Implements `Runtime`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._engine = engine_of()
        self._images = Images(self._engine, site.project)
        self._doors = Doors(self._engine)
        self._published: dict[int, _Published] = {}
        self._cleaning = threading.Lock()
        self._is_clean = False
        self._has_workspace = False

    @staticmethod
    def check(units: Iterable[Unit]) -> None:
        """Raise FatalError where units want a container and no engine answers."""
        if any(_is_for_containers(unit) for unit in units):
            engine_of()

    def executes(self, unit: Unit) -> bool:
        return _is_for_containers(unit)

    def prepare(self, unit: Unit) -> None:
        """Have the image of the unit; at first, remove what runs that are gone have left."""
        with self._cleaning:
            if not self._is_clean:
                logs.info("engine", engine=self._engine.name, url=self._engine.url)
                remove_leftovers(self._engine)
                self._is_clean = True
        image = self._images.of(unit)
        with self._cleaning:
            self._require_workspace(image)

    def _require_workspace(self, image: str) -> None:
        """Raise FatalError where containers would have another folder than the workspace, at the path that it has here."""
        if self._has_workspace or not self._engine.may_have_other_folders:
            return
        if not has_files_of(self._engine, self._site.workspace, image, self._owned()):
            raise FatalError(
                f"the folder that containers of {self._engine} have as {self._site.workspace} is another one",
                hint=SEE_DOCTOR,
                code=Code.NO_ENGINE,
            )
        self._has_workspace = True

    def publish(self, service: str, unit: Unit) -> int | None:
        network = self._network(unit)
        if network == "host":
            return None
        if not self._engine.is_here:
            hint = "run it as a process, or have it in a network of your own with its consumers"
            raise FatalError(
                f"a service in a container needs an engine on this machine, not {self._engine}", hint=hint
            )
        port = free_port()
        name = re.sub(r"[^a-z0-9]+", "-", service.lower()).strip("-")
        self._published[port] = _Published(name, port, unit.port or port, network)
        return port

    def seen(self, unit: Unit, url: str) -> str:
        network = self._network(unit)
        if not urlsplit(url).netloc:
            return self._seen_file(unit, url)
        if network == "host":
            return url

        def reached(port: int) -> tuple[str, int]:
            service = self._published.get(port)
            if service is not None and service.network == network and service.address is not None:
                return service.name, service.port
            return self._doors.to(port, network)

        return moved(url, reached)

    def start(
        self, unit: Unit, environment: Mapping[str, str], *, task: str, port: int | None = None
    ) -> Execution:
        from docker.errors import APIError

        service = self._published.get(port or 0)
        described = self._container(unit, environment, task, port)
        with telling(f"start the container of {task}"):
            try:
                made, said = self._started(described, self._host(unit, port, init=True), service)
            except APIError as exc:
                if not _NO_INIT.search(str(exc.explanation)):
                    raise
                made, said = self._started(described, self._host(unit, port, init=False), service)
        return ContainerExecution(
            self._engine,
            made,
            said,
            program=unit.command[0] if unit.command else None,
            memory=unit.container.memory,
            gone=(lambda: None) if service is None else service.is_gone,
        )

    def close(self) -> None:
        self._doors.close()

    # --- what a container is made of ---

    def _started(
        self, described: dict[str, Any], host: dict[str, Any], service: _Published | None
    ) -> tuple[str, Iterator[bytes]]:
        """A container that runs, and what it prints, from the first byte on. Where it cannot, none is left."""
        client = self._engine.client
        made = client.create_container(**described, host_config=host)["Id"]
        try:
            said = client.output_of(made)
            client.start(made)
            if service is not None:
                self._note_address(service, made)
        except BaseException as exc:
            remove(self._engine, made, _PATIENCE)  # it may run, though the engine could not say so any more
            if _NO_PROGRAM in str(getattr(exc, "explanation", "")):
                raise FatalError(no_program(described["command"][0]), code=Code.NO_PROGRAM) from exc
            raise
        return made, said

    def _container(
        self, unit: Unit, environment: Mapping[str, str], task: str, port: int | None
    ) -> dict[str, Any]:
        run, user = environment.get("WINDLASS_RUN_ID", ""), self._user(unit)
        given = {**environment, "WINDLASS_WORKSPACE": unit.container.mount}
        if user is not None:
            given["HOME"] = "/tmp"  # who it is has no home in the image
        if port is not None:
            given["PORT"] = str(self._inner_port(unit, port))
        token = secrets.token_hex(3)
        return {
            "image": self._images.of(unit),
            "command": self._command(unit, environment) or None,
            "working_dir": PROJECT if unit.container.of_project else None,
            "name": re.sub(r"[^a-zA-Z0-9_.-]+", "-", f"windlass-{run[:80]}-{task[:80]}-{token}"),
            "environment": {**given, **unit.env},
            "user": user,
            "platform": unit.container.platform,
            "ports": [given["PORT"]] if port is not None else None,
            "labels": {
                "windlass.project": str(self._site.project),
                "windlass.run": run,
                "windlass.task": task,
                **self._owned(),
            },
            "use_config_proxy": True,
        }

    def _owned(self) -> dict[str, str]:
        """Labels by which whoever starts next knows whether anybody wants a container still."""
        return {MACHINE: machine(), WANTED: str(self._site.wanted)}

    def _command(self, unit: Unit, environment: Mapping[str, str]) -> list[str]:
        """The command; windlass is shown the plan where that is too long for its environment."""
        plan = self._site.plan
        if not unit.own or plan is None or not is_digest(environment.get(VARIABLE, "")):
            return list(unit.command)
        return [*unit.command, "--plan", str(self._inside(unit, plan) or plan)]

    def _folders(self, unit: Unit) -> dict[str, Path]:
        """The folders of this machine that a container has, each by its place there."""
        workspace = {unit.container.mount: self._site.workspace}
        return {**workspace, PROJECT: self._site.project} if unit.container.of_project else workspace

    def _inside(self, unit: Unit, file: Path) -> PurePosixPath | None:
        """Where a container has a file of this machine."""
        for place, folder in self._folders(unit).items():
            if file.is_relative_to(folder):
                return PurePosixPath(place) / file.relative_to(folder)
        return None

    def _host(self, unit: Unit, port: int | None, *, init: bool) -> dict[str, Any]:
        from docker.types import Mount

        container = unit.container
        folders = [
            Mount(place, host_path(self._engine, folder), type="bind")
            for place, folder in self._folders(unit).items()
        ]
        others = [
            Mount(m.target, m.source, "bind" if m.source.startswith("/") else "volume", read_only=m.read_only)
            for m in container.mounts
        ]
        network = self._network(unit)
        inner = self._inner_port(unit, port) if port is not None else None
        services = {s.name: s.address for s in self._published.values() if s.address and s.network == network}
        made: dict[str, Any] = self._engine.client.create_host_config(
            mounts=[*folders, *others],
            network_mode=container.network,
            port_bindings={inner: (LOOPBACK, port)} if inner and network != "host" else None,
            extra_hosts={} if network == "host" else {**self._engine.names, **services},
            mem_limit=container.memory,
            memswap_limit=container.memory,  # no swap beside it
            nano_cpus=round(container.cpus * 1e9) if container.cpus else None,
            init=init,  # else a program that does not care for SIGTERM cannot be asked to end
            security_opt=["label=disable"] if self._engine.has_selinux else None,
            log_config=_LOG,
        )
        return made

    def _network(self, unit: Unit) -> str:
        return unit.container.network or self._engine.bridge

    def _inner_port(self, unit: Unit, port: int) -> int:
        published = self._published.get(port)
        return published.port if published is not None else unit.port or port

    def _user(self, unit: Unit) -> str | None:
        """Who it runs as: whoever owns what it writes afterwards. None for whom the image says."""
        said = unit.container.user
        if said is not None:
            return None if said == "image" else said
        # where the engine runs without root, root inside is whoever runs the engine
        return "0:0" if self._engine.is_rootless else f"{os.getuid()}:{os.getgid()}"

    def _note_address(self, service: _Published, container: str) -> None:
        """Remember where the service is; where the engine can publish nothing here, have its port lead there."""
        networks = self._engine.client.inspect_container(container)["NetworkSettings"]["Networks"]
        service.address = (networks.get(service.network) or {}).get("IPAddress") or None
        if service.address and sibling(self._engine) is not None:
            self._doors.here(service.here, service.address, service.port)

    def _seen_file(self, unit: Unit, url: str) -> str:
        """A file of the workspace, such as that of a dev service, by its path in the container."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path.removeprefix("/")))
        inside = self._inside(unit, path) if path.is_absolute() else None
        if inside is None:
            return url
        return f"{parts.scheme}:///{quote(str(inside))}" + (f"?{parts.query}" if parts.query else "")


def _is_for_containers(unit: Unit) -> bool:
    container = unit.container
    return container.of_project or container.image is not None or (not unit.own and unit.build is not None)

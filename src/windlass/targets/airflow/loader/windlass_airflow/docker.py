"""Tasks as containers of a Docker engine. Imported only where the provider is."""

from __future__ import annotations

import re
import socket
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator
from docker.errors import APIError, NotFound

from .bundle import Json
from .connections import connection_environment, hidden
from .containers import container_of, image_of, service_address, service_name, wait_until, workspace_of
from .each import mapped_each
from .lines import Listener, finished
from .names import AirflowException
from .parts import LISTS, mapped
from .references import environment_given
from .run import observed
from .telling import telling

__all__ = ["make"]

_LABEL = "windlass-service"
_PROJECT = "windlass.project"
_LEFT = timedelta(hours=1)  # whoever waits for a container removes it within seconds of its end
_NO_INIT = re.compile("catatonit|docker-init|init binary")  # an engine may be installed without one
_GRACE = 3  # seconds; Airflow kills the process that asks for the end after 5


class WindlassDockerOperator(DockerOperator):
    """Runs one task in a container of the Docker engine."""

    template_fields = ()
    job: Json
    options: Sequence[str] = ()
    listener: Listener
    told: dict[str, str]
    """The labels of its container."""

    code = 0

    def execute(self, context: Any) -> Any:
        self.command, self.environment = container_of(self, context)
        given = environment_given(self.job, connection_environment(self.job["connections"]))
        # a program of the user's is told by its `env` where to send what it has, as everywhere
        self._private_environment = {**(observed() if self.job["unit"]["own"] else {}), **given}
        self.listener, self.told = Listener(self.log), _labels(self, context)
        super().execute(context)  # which pulls the image where it is missing
        return finished(self, self.listener, self.code, context)

    def _run_image(self) -> None:
        self._remove_earlier()
        self._remove_left()
        self.log.info("Starting docker container from image %s", self.image)
        self.code = 1
        try:
            for line in _lines(self._said()):
                self.listener.take(line)
            self.code = int(self.cli.wait(self.container["Id"])["StatusCode"])
            if self.code and self.cli.inspect_container(self.container["Id"])["State"].get("OOMKilled"):
                self.listener.failure = {"error": _out_of_memory(self.mem_limit), "retryable": False}
        finally:
            is_wanted = self.auto_remove == "never" or (self.auto_remove == "success" and self.code != 0)
            if self.container and not is_wanted:
                self._remove(self.container["Id"])

    def _remove(self, container: str) -> None:
        """Remove a container. That it cannot be does not change what became of the task."""
        try:
            self.cli.remove_container(container, force=True)
        except Exception as exc:  # noqa: BLE001 - somebody else has removed it, or the engine is away
            self.log.warning("the container %s is not removed: %s", container[:12], exc)

    def _remove_earlier(self) -> None:
        """Remove the container of an earlier try: whoever started it is gone, and could not end it."""
        same = [f"{name}={value}" for name, value in self.told.items()]
        for container in self.cli.containers(all=True, filters={"label": same}):
            self.log.warning("the container of an earlier try is removed: %s", container["Id"][:12])
            self._remove(container["Id"])

    def _remove_left(self) -> None:
        """Remove what other tasks of the project have left: their worker was killed, and they are not tried again."""
        if self.auto_remove != "force":
            return
        filters = {"label": f"{_PROJECT}={self.told[_PROJECT]}", "status": ["exited", "created", "dead"]}
        for container in self.cli.containers(all=True, filters=filters):
            with suppress(NotFound):  # another task removes it, too
                if _ended(self.cli.inspect_container(container["Id"])) < datetime.now(UTC) - _LEFT:
                    self.log.warning("a container that was left is removed: %s", container["Id"][:12])
                    self._remove(container["Id"])

    def _said(self) -> Iterable[bytes]:
        """What a new container prints, from its first byte on."""
        try:  # without a small init a program that does not care for SIGTERM cannot be asked to end
            return self._started(init=True)
        except APIError as exc:
            if not _NO_INIT.search(str(exc)):
                raise
        if self.container is not None:
            self._remove(self.container["Id"])
        return self._started(init=None)

    def _started(self, *, init: bool | None) -> Iterable[bytes]:
        self.container = self._created(init=init)
        said: Iterable[bytes] = self.cli.attach(self.container["Id"], stdout=True, stderr=True, stream=True)
        self.cli.start(self.container["Id"])
        return said

    def _created(self, name: str | None = None, *, init: bool | None = None) -> Json:
        host = self.cli.create_host_config(
            mounts=self.mounts, network_mode=self.network_mode, mem_limit=self.mem_limit,
            cpu_shares=round(self.cpus * 1024), init=init,
        )  # fmt: skip
        made: Json = self.cli.create_container(
            image=self.image, command=self.command or None, name=name, user=self.user, labels=self.told,
            environment={**self.environment, **self._private_environment}, host_config=host,
        )  # fmt: skip
        return made

    def on_kill(self) -> None:
        if self.hook.client_created and self.container is not None:
            self.log.info("Stopping docker container")
            self.cli.stop(self.container["Id"], timeout=_GRACE)  # whoever waits for it removes it then


class WindlassDockerServiceOperator(WindlassDockerOperator):
    """Starts a service in a container, and leaves it there once it answers."""

    def execute(self, context: Any) -> Any:
        self.container_name = service_name(self.job, context)
        super().execute(context)
        return {"address": self._address}

    def _run_image(self) -> None:
        remove(self.cli, self.container_name)
        self.told[_LABEL] = str(self.container_name)
        made = self._created(self.container_name)
        self.cli.start(made["Id"])
        networks = self.cli.inspect_container(made["Id"])["NetworkSettings"]["Networks"].values()
        found = next((network["IPAddress"] for network in networks if network["IPAddress"]), "127.0.0.1")
        self._address = service_address(self.job, found)
        wait_until(self._is_ready, self.job["unit"]["ready_timeout"], f"service {self.job['task']!r}")

    def _is_ready(self) -> bool:
        if not self.cli.inspect_container(self.container_name)["State"]["Running"]:
            said = self.cli.logs(self.container_name, tail=20).decode(errors="replace")
            raise AirflowException(hidden(f"the service ended before it was ready:\n{said}"))
        return answers(self._address, self.job["unit"]["health"])

    def on_kill(self) -> None:
        remove(self.cli, self.container_name)


class WindlassDockerStopOperator(WindlassDockerOperator):
    """Stops a service."""

    def execute(self, context: Any) -> Any:
        remove(self.cli, service_name(self.job, context))


def _labels(operator: Any, context: Mapping[str, Any]) -> dict[str, str]:
    """What a container says of the task that it is; those of all tries say the same."""
    part = getattr(context["ti"], "map_index", -1)
    labels = {
        _PROJECT: operator.job["plan"][0]["project"],
        "windlass.pipeline": operator.job["pipeline"],
        "windlass.task": operator.task_id,
        "windlass.run": context["dag_run"].run_id,
    }
    return {**labels, "windlass.part": str(part)} if part >= 0 else labels


def _ended(container: Json) -> datetime:
    """When a container has ended, or was made and did not begin. Engines write nanoseconds, which no Python reads."""
    moment = max(container["Created"], container["State"]["FinishedAt"])
    return datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC)


def _lines(said: Iterable[bytes]) -> Iterator[str]:
    """What a container prints, in lines, as soon as each is whole."""
    rest = b""
    for chunk in said:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace").rstrip() for line in lines)
    if rest:
        yield rest.decode(errors="replace").rstrip()


def _out_of_memory(limit: object) -> str:
    said = f": it wanted more than {limit} bytes; `resources` says what it may use" if limit else ""
    return f"killed, out of memory{said}"


def remove(cli: Any, name: str | None) -> None:
    """Remove the container of a service; one that only has its name is somebody else's."""
    for container in cli.containers(all=True, filters={"label": f"{_LABEL}={name}"}):
        cli.remove_container(container["Id"], force=True)


def answers(address: Json, health: str | None) -> bool:
    """Whether a service is ready: its health check answers 2xx, or its port takes connections."""
    try:
        if health is None:
            with socket.create_connection((address["host"], address["port"]), timeout=2):
                return True
        with urllib.request.urlopen(f"{address['url']}/{health.lstrip('/')}", timeout=5) as response:
            return bool(200 <= response.status < 300)
    except OSError:
        return False


_ROLES = {
    "split": WindlassDockerOperator,
    "entries": WindlassDockerOperator,
    "task": WindlassDockerOperator,
    "start": WindlassDockerServiceOperator,
    "stop": WindlassDockerStopOperator,
}


def _own_options(job: Json) -> Json:
    """What the task itself says of its container; its workspace is the first of the mounts."""
    container, (workspace, *mounts) = job["unit"]["container"], job["runtime"]["options"]["mounts"]
    found = {
        "mounts": [{**workspace, "target": workspace_of(job)}, *mounts],
        "user": container.get("user"),
        "network_mode": container.get("network"),
        "mem_limit": container.get("memory"),
        "cpus": container.get("cpus"),
        "force_pull": container.get("pull") == "always" or None,
    }
    found = {name: value for name, value in found.items() if value is not None}
    return {**found, "user": None} if container.get("user") == "image" else found


def make(role: str, job: Json, common: Json) -> Any:
    options = job["runtime"]["options"]
    arguments = {"image": image_of(job), "mount_tmp_dir": False, **options, **_own_options(job), **common}
    if role == "part":
        return mapped(WindlassDockerOperator, job, arguments)
    if role == "each":
        return mapped_each(WindlassDockerOperator, job, arguments)
    if role == "tell":
        return telling(WindlassDockerOperator, arguments)
    operator = _ROLES[role](**arguments)
    operator.options = LISTS.get(role, ())
    return operator

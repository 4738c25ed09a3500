"""Tasks as containers of a Docker engine. Imported only where the provider is."""

from __future__ import annotations

import re
import socket
import urllib.request
from collections.abc import Sequence
from typing import Any

from airflow.providers.docker.exceptions import DockerContainerFailedException
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk.exceptions import AirflowException

from .bundle import Json
from .connections import connection_environment, hidden
from .containers import container_of, image_of, service_address, service_name, wait_until, workspace_of
from .lines import Listener, finished
from .parts import mapped
from .references import environment_given

__all__ = ["make"]

_LABEL = "windlass-service"


class Lines:
    """The log of a DockerOperator, in which the lines of the container are read first."""

    def __init__(self, log: Any, listener: Listener) -> None:
        self._log, self._listener = log, listener

    def info(self, text: str, *values: Any) -> None:
        self._listener.take(str(values[0])) if text == "%s" else self._log.info(text, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class WindlassDockerOperator(DockerOperator):
    """Runs one task in a container of the Docker engine."""

    template_fields = ()
    job: Json
    options: Sequence[str] = ()
    _lines: Lines | None = None

    @property
    def log(self) -> Any:
        return self._lines or super().log

    def execute(self, context: Any) -> Any:
        self.command, self.environment = container_of(self, context)
        self._private_environment = environment_given(
            self.job, connection_environment(self.job["connections"])
        )
        listener = Listener(super().log)
        self._lines, code = Lines(super().log, listener), 0
        try:
            super().execute(context)
        except DockerContainerFailedException as exc:
            code = int(re.search(r"'StatusCode': (\d+)", str(exc))[1])  # type: ignore[index]
        return finished(self, listener, code, context)


class WindlassDockerServiceOperator(WindlassDockerOperator):
    """Starts a service in a container, and leaves it there once it answers."""

    def execute(self, context: Any) -> Any:
        self.container_name = service_name(self.job, context)
        super().execute(context)
        return {"address": self._address}

    def _run_image(self) -> None:
        remove(self.cli, self.container_name)
        host = self.cli.create_host_config(network_mode=self.network_mode, mounts=self.mounts)
        environment = {**self.environment, **self._private_environment}
        made = self.cli.create_container(
            self.image, self.command or None, name=self.container_name, environment=environment, host_config=host,
            user=self.user, labels={_LABEL: self.container_name},
        )  # fmt: skip
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
    operator = _ROLES[role](**arguments)
    operator.options = ("--parts",) if role == "split" else ()
    return operator

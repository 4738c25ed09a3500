"""What tasks in containers have in common, whatever starts the container."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from .bundle import Json, packed
from .names import AirflowException
from .run import filled, run_environment, traced

__all__ = [
    "container_of",
    "image_of",
    "name_of",
    "port_of",
    "service_address",
    "service_name",
    "wait_until",
    "workspace_of",
]

_READY_EVERY = 0.5


_PORT = 8080  # where a service listens that does not say


def image_of(job: Json) -> str:
    """The image of the unit, else the project's."""
    return str(job["unit"]["container"].get("image") or job["runtime"]["image"])


def workspace_of(job: Json) -> str:
    """Where the workspace is in the task's container."""
    return str(job["unit"]["container"].get("mount") or job["runtime"]["workspace"])


def container_of(operator: Any, context: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The command of a task's container, and its environment without what is secret."""
    job, unit = operator.job, operator.job["unit"]
    environment = {**run_environment(job, context), **traced(), "WINDLASS_WORKSPACE": workspace_of(job)}
    if unit["own"]:
        environment["WINDLASS_PLAN"] = packed(*job["plan"])
        return [*unit["command"], *operator.options], environment
    said = {key: unit[key] for key in ("command", "env")}
    said = filled(said, job, context, operator.get_template_env())
    if job["kind"] == "service":
        environment["PORT"] = str(port_of(job))
    env = {name: _text(value) for name, value in said["env"].items()}
    return list(map(_text, said["command"])), {**environment, **env}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def port_of(job: Json) -> int:
    return int(job["unit"]["port"] or _PORT)


def name_of(job: Json) -> str:
    """A name for what runs the task, with the characters that every engine takes."""
    name = re.sub("[^a-z0-9]+", "-", f"{job['pipeline']}-{job['task']}".lower())
    return name[:50].strip("-")


def service_name(job: Json, context: Mapping[str, Any]) -> str:
    """What the container of a service is called: always the same in a run, so that a later try finds it."""
    return f"{name_of(job)}-{hashlib.sha256(context['dag_run'].run_id.encode()).hexdigest()[:10]}"


def service_address(job: Json, host: str) -> Json:
    """What `services.NAME` means in a template."""
    return {"url": f"http://{host}:{port_of(job)}", "host": host, "port": port_of(job)}


def wait_until(is_ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask again and again. Raises AirflowException when that takes too long."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if time.monotonic() > deadline:
            raise AirflowException(f"{what} was not ready after {seconds:g} s")
        time.sleep(_READY_EVERY)

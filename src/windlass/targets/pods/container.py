"""Containers: of a task, of a whole run, and of what writes the scripts of commands.

What windlass executes is `windlass exec PIPELINE TASK` in the image of the project, as everywhere. A command of the user's is
the image's own where nothing but its arguments is to be said. Else it is started by a script that the pod writes first: only
a run knows its dates, and no manifest can work them out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from windlass.plan.model import Plan, Task
from windlass.plan.unit import PROJECT, WORKSPACE, Unit
from windlass.spec.pipeline import Task as Said
from windlass.spec.runtimes import PodSettings
from windlass.targets.pods.environment import given_to, literal, variables
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.plan_file import PLAN, mount
from windlass.targets.pods.settings import Json, container_parts, of_task, said
from windlass.templates import is_template

__all__ = ["SCRIPTS", "Containers", "check_of", "needs_script", "services_of"]

SCRIPTS = "/windlass/scripts"
"""Where containers have the scripts."""

_PORT = 8080  # where a service listens that does not say
_PULL = {"always": "Always", "never": "Never"}


def services_of(plan: Plan) -> dict[str, int]:
    """The services of a pipeline, which share the loopback of a pod, each with a port that no other has."""
    wanted = {task.name: task.unit.port for task in plan.tasks if task.kind == "service" and task.unit}
    taken = {port for port in wanted.values() if port is not None}
    free = (port for port in range(_PORT, 65_536) if port not in taken)
    return {name: port if port is not None else next(free) for name, port in wanted.items()}


def needs_script(unit: Unit) -> bool:
    """Whether its command or its environment has templates, which only a run can fill in."""
    return any(map(is_template, (*unit.command, *unit.env.values())))


@dataclass(frozen=True, kw_only=True)
class Containers:
    """The containers of one pipeline."""

    plan: Plan
    """In which every unit has its image."""

    image: str
    """Of the project."""

    pods: PodSettings
    tasks: Mapping[str, Said]
    secret: str
    """With the connections."""

    run: list[Json]
    """The variables by which a container knows which run it belongs to."""

    entrypoints: Mapping[str, list[str] | None]
    """Of the images of commands, as far as they are known."""

    services: Mapping[str, int] = field(default_factory=dict)
    """The port of each."""

    host: Callable[[str], str] = lambda _: "127.0.0.1"
    """Where a service is reached; in one pod they share its loopback."""

    def of_run(self, command: Iterable[str], given: list[Json]) -> Json:
        """The container that has to do with the whole run. `given` are the references in its environment."""
        return self._own("run", list(command), self.pods, [*self.run, *given])

    def of_task(self, task: Task) -> Json:
        """The container of a task, or of a service."""
        assert task.unit is not None
        pods = of_task(self.pods, self.tasks[task.name].kubernetes)
        around = self._around(task)
        if task.unit.own:
            command = [*task.unit.command, "--plan", PLAN]
            return self._own(dns_name(task.name), command, pods, around, task.unit)
        return self._command(task, task.unit, pods, around)

    def before(self, task: Task, option: str, folder: str, *, connected: bool) -> Json:
        """The container of a step of windlass that comes before a task, and leaves what comes of it in a folder: a volume that
        is called as the container. Where it asks the ends of a copy it is `connected`.
        """
        command = ["windlass", "exec", self.plan.pipeline, task.name, "--plan", PLAN, option]
        found = {"WINDLASS_WORKSPACE": WORKSPACE}
        if task.uses:
            found["WINDLASS_SERVICES"] = self._addresses(task.uses)
        around = self._around(task) if connected else [*self.run, *variables(found)]
        name = PurePosixPath(folder).name
        container = self._own(name, command, self.pods, around)
        container["volumeMounts"].append({"name": name, "mountPath": folder})
        return container

    def of_scripts(self, tasks: Iterable[Task]) -> Json | None:
        """The container that writes the scripts of these tasks; None where they need none."""
        scripted = [task for task in tasks if self.is_scripted(task)]
        if not scripted:
            return None
        command = ["windlass", "scripts", self.plan.pipeline, "--plan", PLAN, "--into", SCRIPTS]
        command += [part for task in scripted for part in ("--task", task.name)]
        used = dict.fromkeys(name for task in scripted for name in task.uses)
        environment = [*self.run, *variables({"WINDLASS_SERVICES": self._addresses(used)})]
        container = self._own("windlass-scripts", command, self.pods, environment)
        container["volumeMounts"].append({"name": "scripts", "mountPath": SCRIPTS})
        return container

    def is_scripted(self, task: Task) -> bool:
        """Whether a script starts it: that of a command whose image is known to have no other idea."""
        return bool(task.unit and not task.unit.own and task.unit.command) and (
            self.entrypoints.get(task.name) is not None
        )

    # --- one container ---

    def _own(
        self,
        name: str,
        command: list[str],
        pods: PodSettings,
        environment: list[Json],
        unit: Unit | None = None,
    ) -> Json:
        own = (unit is not None and unit.container.image) or self.image
        parts = container_parts(pods, WORKSPACE)
        parts["volumeMounts"].append(mount())
        return _in_order(
            {
                "name": name,
                "image": own,
                "command": command,
                "workingDir": PROJECT,
                "env": environment,
                **parts,
            }
        )

    def _command(self, task: Task, unit: Unit, pods: PodSettings, environment: list[Json]) -> Json:
        parts = container_parts(pods, unit.container.mount) | _of_unit(unit, pods)
        container: Json = {"name": dns_name(task.name), "image": unit.container.image or self.image, **parts}
        if self.is_scripted(task):
            entrypoint = self.entrypoints[task.name] or []
            container["command"] = ["/bin/sh", f"{SCRIPTS}/{task.name}.sh", *entrypoint]
            container["volumeMounts"].append({"name": "scripts", "mountPath": SCRIPTS, "readOnly": True})
        else:
            container["args"] = [literal(argument) for argument in unit.command]
            environment = environment + variables({name: literal(text) for name, text in unit.env.items()})
        return _in_order(container | {"env": environment})

    def _around(self, task: Task) -> list[Json]:
        """What a task finds in its environment, beside what it says itself."""
        assert task.unit is not None
        workspace = WORKSPACE if task.unit.own else task.unit.container.mount
        found = {"WINDLASS_WORKSPACE": workspace}
        if task.uses:
            found["WINDLASS_SERVICES"] = self._addresses(task.uses)
        if task.name in self.services:
            found["PORT"] = str(self.services[task.name])
        return [*self.run, *variables(found), *given_to(self.plan, task, self.secret)]

    def _addresses(self, names: Iterable[str]) -> str:
        """What `services.NAME` means in a template."""
        where = {name: (self.host(name), self.services[name]) for name in names}
        return json.dumps(
            {
                name: {"url": f"http://{host}:{port}", "host": host, "port": port}
                for name, (host, port) in where.items()
            }
        )


def check_of(unit: Unit, port: int) -> Json:
    """The probe that tells whether a service is ready."""
    if unit.health is None:
        how: Json = {"tcpSocket": {"port": port}}
    else:
        how = {"httpGet": {"path": f"/{unit.health.lstrip('/')}", "port": port}}
    return {**how, "periodSeconds": 1, "failureThreshold": max(1, round(unit.ready_timeout))}


def _of_unit(unit: Unit, pods: PodSettings) -> Json:
    """What a unit says of its container itself, on top of what its pod says."""
    found: Json = {}
    limits = {"memory": unit.container.memory, "cpu": unit.container.cpus}
    own = {name: str(limit) for name, limit in limits.items() if limit is not None}
    if own:
        resources = pods.resources.model_dump() if pods.resources else {}
        found["resources"] = said(resources | {"limits": resources.get("limits", {}) | own})
    uid, _, gid = (unit.container.user or "").partition(":")
    ids = {name: int(text) for name, text in (("runAsUser", uid), ("runAsGroup", gid)) if text.isdigit()}
    if ids:
        found["securityContext"] = {"allowPrivilegeEscalation": False} | pods.container_security_context | ids
    if unit.container.pull in _PULL:
        found["imagePullPolicy"] = _PULL[unit.container.pull]
    return found


_ORDER = ("name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "envFrom", "resources")


def _in_order(container: Json) -> Json:
    """As people write one, and without what nobody said."""
    first = {key: container[key] for key in _ORDER if key in container}
    return said({**first, **container})

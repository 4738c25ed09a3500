"""The templates of tasks: a pod each, and the one that tells that a run has failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from windlass.errors import ExitCode
from windlass.plan.instances import ENTRY
from windlass.plan.model import Task
from windlass.targets.argo.depends import depends_of
from windlass.targets.pods.container import ENTRIES, Containers, check_of
from windlass.targets.pods.environment import connections, variables
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.plan_file import PLAN
from windlass.targets.pods.settings import Json, said

__all__ = ["ALARM", "Templates", "entries_step", "pools_name"]

ALARM = "windlass-alarm"
_RUN = {
    "WINDLASS_RUN_ID": "{{workflow.name}}",
    "WINDLASS_FIRED_AT": "{{workflow.parameters.fired-at}}",
    "WINDLASS_PARAMS": "{{workflow.parameters.params}}",
}
_ENTRY = "windlass-entry"
_LONGEST_WAIT = "1h"  # between two tries, as the runner has it


@dataclass(frozen=True)
class Templates:
    """The templates of one pipeline."""

    pipeline: ExportedPipeline

    def all(self) -> list[Json]:
        """The DAG first."""
        tasks = self._tasks()
        entries = [self._of_entries(task) for task in tasks if task.each is not None]
        return [self._dag(), *entries, *map(self._of_task, tasks), *self._alarm()]

    @cached_property
    def _containers(self) -> Containers:
        """Containers that know their run by what the workflow was submitted with; each service is in a pod of its own."""
        plan, run = self.pipeline.plan, dict(_RUN)
        if plan.schedule == "@once" and plan.start is not None:
            run["WINDLASS_LOGICAL_DATE"] = plan.start.isoformat()
        containers = self.pipeline.containers(variables(run))
        return replace(containers, host=lambda name: f"{{{{inputs.parameters.{dns_name(name)}}}}}")

    def _tasks(self) -> list[Task]:
        """Those that there are to start: of the services, what somebody uses."""
        tasks = self.pipeline.plan.tasks
        used = {name for task in tasks for name in task.uses}
        return [task for task in tasks if task.kind != "service" or task.name in used]

    def _dag(self) -> Json:
        tasks = [step for task in self._tasks() for step in _steps(task)]
        # tasks side by side go on when one fails, as everywhere
        return {"name": "main", "dag": {"failFast": False, "tasks": tasks}}

    def _of_entries(self, task: Task) -> Json:
        """What lists the entries of a task, for a pod each."""
        container = self._containers.of_entries(task)
        container.pop("name")
        listed = {"name": "entries", "valueFrom": {"path": ENTRIES}}
        return said(
            {
                "name": entries_step(task),
                "inputs": _inputs(task.uses),
                "outputs": {"parameters": [listed]},
                "retryStrategy": self._retries(task, is_own=True),
                "metadata": {"labels": {"windlass/task": dns_name(task.name)}},
                "volumes": [{"name": "entries", "emptyDir": {}}],
                "container": container,
            }
        )

    def _of_task(self, task: Task) -> Json:
        given = [] if task.each is None else variables({ENTRY: f"{{{{inputs.parameters.{_ENTRY}}}}}"})
        containers = replace(self._containers, run=[*self._containers.run, *given])
        container = containers.of_task(task)
        name = container.pop("name")
        scripts = containers.of_scripts([task])
        is_service = task.kind == "service"
        if is_service and task.unit is not None:
            container["readinessProbe"] = check_of(task.unit, containers.services[task.name])
        return said(
            {
                "name": _template(task),
                "inputs": _inputs(task.uses, [] if task.each is None else [_ENTRY]),
                "daemon": True if is_service else None,
                "activeDeadlineSeconds": None if is_service or not task.timeout else round(task.timeout),
                "retryStrategy": self._retries(task, is_own=task.unit is not None and task.unit.own),
                "synchronization": self._slot(task),
                "metadata": {"labels": {"windlass/task": name}},
                "volumes": [{"name": "scripts", "emptyDir": {}}] if scripts else None,
                "initContainers": [scripts] if scripts else None,
                "container": container,
            }
        )

    def _retries(self, task: Task, *, is_own: bool) -> Json | None:
        """Another try, unless windlass has said that it would come to the same end."""
        retry = task.retry
        if not retry.retries or task.kind == "service":
            return None
        final = f"!(asInt(lastRetry.exitCode) in [{int(ExitCode.FAILED)}, {int(ExitCode.USAGE)}])"
        backoff = {"duration": f"{round(retry.delay)}s", "factor": round(retry.backoff), "cap": _LONGEST_WAIT}
        return said(
            {
                "limit": retry.retries,
                "retryPolicy": "Always",
                "expression": f"lastRetry.status == 'Error' || {final}" if is_own else None,
                "backoff": backoff,
            }
        )

    def _slot(self, task: Task) -> Json | None:
        if task.pool is None:
            return None
        reference = {"name": pools_name(self.pipeline.plan.project), "key": task.pool}
        return {"semaphores": [{"configMapKeyRef": reference}]}

    def _alarm(self) -> Iterator[Json]:
        """What tells that a run has failed, at its end."""
        plan = self.pipeline.plan
        if not plan.on_failure:
            return
        failed = variables({"WINDLASS_FAILURES": "{{workflow.failures}}"})
        containers = self._containers
        command = ["windlass", "alarm", plan.pipeline, "--plan", PLAN]
        container = containers.of_run(command, [*failed, *connections(plan.on_failure, containers.secret)])
        container.pop("name")
        yield {"name": f"{ALARM}-pod", "container": container}
        step = {"name": "tell", "template": f"{ALARM}-pod", "when": "{{workflow.status}} != Succeeded"}
        yield {"name": ALARM, "steps": [[step]]}


def entries_step(task: Task) -> str:
    """What the step is called that lists the entries of a task."""
    return f"entries-of-{dns_name(task.name, 52)}"


def _steps(task: Task) -> Iterator[Json]:
    """A task in the DAG. One of each entry comes after what lists them, and is there once an entry."""
    depends, addresses = depends_of(task) or None, [_address(name) for name in task.uses]
    step = {"name": dns_name(task.name), "template": _template(task), "depends": depends}
    if task.each is not None:
        listing = entries_step(task)
        listed = {"name": listing, "template": listing, "depends": depends}
        yield said({**listed, "arguments": said({"parameters": addresses})})
        step |= {"depends": listing, "withParam": f"{{{{tasks.{listing}.outputs.parameters.entries}}}}"}
        addresses = [*addresses, {"name": _ENTRY, "value": "{{item}}"}]
    yield said({**step, "arguments": said({"parameters": addresses})})


def _inputs(services: Iterable[str], more: Iterable[str] = ()) -> Json:
    return said({"parameters": [{"name": name} for name in (*map(dns_name, services), *more)]})


def pools_name(project: str) -> str:
    """The ConfigMap with the slots of a project's pools."""
    return dns_name(f"{project}-pools")


def _template(task: Task) -> str:
    """A name that is not one of ours."""
    return f"task-{dns_name(task.name, 58)}"


def _address(service: str) -> Json:
    name = dns_name(service)
    return {"name": name, "value": f"{{{{tasks.{name}.ip}}}}"}

"""The templates of tasks: a pod each, or the DAG of the pipeline that a task triggers; and the one that tells that a run has failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from windlass.errors import ExitCode
from windlass.plan.model import Task, Trigger
from windlass.targets.argo.before import Before, before
from windlass.targets.argo.belonging import Belonging
from windlass.targets.argo.depends import depends_of
from windlass.targets.pods.container import Containers, check_of
from windlass.targets.pods.environment import connections, variables
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.plan_file import PLAN
from windlass.targets.pods.settings import Json, said

__all__ = ["ALARM", "Templates", "pools_name"]

ALARM = "windlass-alarm"
_LONGEST_WAIT = "1h"  # between two tries, as the runner has it


@dataclass(frozen=True)
class Templates:
    """The templates of one pipeline."""

    pipeline: ExportedPipeline
    of: Belonging

    def all(self) -> list[Json]:
        """The DAG first."""
        tasks = self._tasks()
        steps = [self._before(task, step) for task in tasks if (step := before(task)) is not None]
        found = [self._dag(), *steps, *(each for task in tasks for each in self._of_task(task))]
        return found if self.of.is_triggered else [*found, *self._alarm()]

    @cached_property
    def _containers(self) -> Containers:
        """Containers that know their run; each service is in a pod of its own."""
        containers = self.pipeline.containers(variables(self.of.variables))
        return replace(containers, host=lambda name: f"{{{{inputs.parameters.{dns_name(name)}}}}}")

    def _tasks(self) -> list[Task]:
        """Those that there are to start: of the services, what somebody uses."""
        tasks = self.pipeline.plan.tasks
        used = {name for task in tasks for name in task.uses}
        return [task for task in tasks if task.kind != "service" or task.name in used]

    def _dag(self) -> Json:
        tasks = [step for task in self._tasks() for step in self._steps(task)]
        # tasks side by side go on when one fails, as everywhere
        dag = {"failFast": False, "tasks": tasks}
        return said({"name": self.of.named("main"), "inputs": self._inputs(), "dag": dag})

    def _steps(self, task: Task) -> Iterator[Json]:
        """A task in the DAG, and the step before it. Where that lists something the task is there once an item."""
        depends, given = depends_of(task) or None, [*self.of.handed_on, *map(_address, task.uses)]
        step = {"name": dns_name(task.name), "template": self._template(task), "depends": depends}
        if (first := before(task)) is not None:
            of_first = {"name": first.name, "template": self.of.named(first.name), "depends": depends}
            yield said({**of_first, "arguments": said({"parameters": given})})
            step["depends"] = first.name
            outputs = {
                name: f"{{{{tasks.{first.name}.outputs.parameters.{name}}}}}" for name in first.outputs
            }
            if first.item is None:
                given = [{"name": name, "value": output} for name, output in outputs.items()]
            else:
                (step["withParam"],) = outputs.values()
                given = [*given, {"name": first.item, "value": "{{item}}"}]
        yield said({**step, "arguments": said({"parameters": given})})

    def _before(self, task: Task, step: Before) -> Json:
        """The template of the step before a task."""
        container = self._containers.before(task, step.option, step.folder, connected=step.is_connected)
        volume = container.pop("name")
        outputs = [{"name": name, "valueFrom": {"path": path}} for name, path in step.outputs.items()]
        return said(
            {
                "name": self.of.named(step.name),
                "inputs": self._inputs(task.uses),
                "outputs": {"parameters": outputs},
                "retryStrategy": self._retries(task, is_own=True),
                "metadata": {"labels": {"windlass/task": dns_name(task.name)}},
                "volumes": [{"name": volume, "emptyDir": {}}],
                "container": container,
            }
        )

    def _of_task(self, task: Task) -> Iterator[Json]:
        """The template of a task; of one that triggers a pipeline, the templates of that."""
        if not isinstance(task.action, Trigger):
            yield self._pod(task)
            return
        dag, *others = Templates(self.pipeline.others[task.action.pipeline], self.of.within(task)).all()
        limits = {
            "retryStrategy": self._retries(task, is_own=False),
            "synchronization": self._slot(task),
        }
        yield {**dag, **said(limits)}
        yield from others

    def _pod(self, task: Task) -> Json:
        first = before(task)
        item = {first.variable: f"{{{{inputs.parameters.{first.item}}}}}"} if first and first.variable else {}
        containers = replace(self._containers, run=[*self._containers.run, *variables(item)])
        container = containers.of_task(task)
        name = container.pop("name")
        scripts = containers.of_scripts([task])
        is_service, timeout = task.kind == "service", self.of.timeout(task)
        if is_service and task.unit is not None:
            container["readinessProbe"] = check_of(task.unit, containers.services[task.name])
        return said(
            {
                "name": self._template(task),
                "inputs": self._inputs(task.uses, [first.item] if first and first.item else []),
                "daemon": True if is_service else None,
                "activeDeadlineSeconds": None if is_service or not timeout else round(timeout),
                "retryStrategy": self._retries(task, is_own=task.unit is not None and task.unit.own),
                "synchronization": self._slot(task),
                "metadata": {"labels": {"windlass/task": name}},
                "volumes": [{"name": "scripts", "emptyDir": {}}] if scripts else None,
                "initContainers": [scripts] if scripts else None,
                "container": container,
            }
        )

    def _template(self, task: Task) -> str:
        """A name that is not one of ours."""
        if isinstance(task.action, Trigger):
            return self.of.within(task).named("main")
        return self.of.named(f"task-{dns_name(task.name, 58)}")

    def _inputs(self, services: Iterable[str] = (), more: Iterable[str] = ()) -> Json:
        names = (*(one["name"] for one in self.of.handed_on), *map(dns_name, services), *more)
        return said({"parameters": [{"name": name} for name in names]})

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


def pools_name(project: str) -> str:
    """The ConfigMap with the slots of a project's pools."""
    return dns_name(f"{project}-pools")


def _address(service: str) -> Json:
    name = dns_name(service)
    return {"name": name, "value": f"{{{{tasks.{name}.ip}}}}"}

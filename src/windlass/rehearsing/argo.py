"""A workflow of Argo: its DAG, a pod for each task, and what runs at its end.

https://argo-workflows.readthedocs.io/en/latest/fields/. Waits between tries are left out.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from windlass.errors import FatalError
from windlass.plan.model import Plan
from windlass.rehearsing.container import Ran, Stage
from windlass.rehearsing.depends import holds, names_in
from windlass.rehearsing.in_pods import exported, rehearsed
from windlass.rehearsing.manifests import Json, Manifests
from windlass.rehearsing.pod import Pod, Volumes
from windlass.rehearsing.rehearsal import Rehearsal, RehearsalRequest
from windlass.rehearsing.text import substituted
from windlass.targets.argo.before import before

__all__ = ["rehearse"]

_BY_HAND = "by-hand"  # in place of a tick
_OVER = ("Succeeded", "Failed", "Omitted", "Daemoned", "Skipped")
_FINAL = re.compile(r"lastRetry\.status == 'Error' \|\| !\(asInt\(lastRetry\.exitCode\) in \[([0-9, ]+)\]\)")


def rehearse(request: RehearsalRequest) -> Rehearsal:
    """Export a pipeline as a workflow, and run that. Implements `Rehearse`."""
    found = exported(request)

    def run(stage: Stage, volumes: Volumes) -> list[Ran]:
        return _run_workflow(
            stage, found.manifests, volumes, fired_at=request.fired_at, params=request.params
        )

    return rehearsed(request, found, run, _by_task)


def _by_task(plan: Plan, ran: dict[str, Ran]) -> dict[str, Ran]:
    """Without the steps that come before tasks. Where one has failed, so has its task, which lacks what it leaves."""
    found = dict(ran)
    for task in plan.tasks:
        step = before(task)
        first = found.pop(step.name, None) if step is not None else None
        if first is not None and first.code:
            found[task.name] = first
    return found


def _run_workflow(
    stage: Stage, manifests: Manifests, volumes: Volumes, *, fired_at: str | None, params: Mapping[str, Any]
) -> list[Ran]:
    """Run what a CronWorkflow would start, or what is submitted by hand. What became of each task."""
    owner = manifests.one_of("CronWorkflow", "Workflow", "WorkflowTemplate")
    spec: Json = owner["spec"].get("workflowSpec", owner["spec"])
    known = {
        "workflow.name": stage.run_id,
        "workflow.scheduledTime": fired_at or _BY_HAND,
        "workflow.creationTimestamp.RFC3339": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    for parameter in spec.get("arguments", {}).get("parameters", ()):
        known[f"workflow.parameters.{parameter['name']}"] = substituted(parameter["value"], known)
    known["workflow.parameters.params"] = json.dumps(params)
    workflow = _Workflow(stage, spec, volumes)
    with ExitStack() as daemons:
        dag = _Dag(workflow, spec["entrypoint"], known, daemons)
        try:
            dag.run()
            _at_its_end(workflow, dag)
        except BaseException:
            stage.clear()  # else those that wait for what runs would wait for ever
            raise
    return list(dag.ran.values())


@dataclass(frozen=True)
class _Workflow:
    """What all of its tasks share."""

    stage: Stage
    spec: Json
    volumes: Volumes

    def template(self, name: str) -> Json:
        found: Json | None = next((one for one in self.spec["templates"] if one["name"] == name), None)
        if found is None:
            raise FatalError(f"the workflow has no template {name!r}")
        return found

    def pod(self, name: str, template: Json, number: int) -> Pod:
        volumes = [
            *(
                {"name": claim["metadata"]["name"], "claim": {}}
                for claim in self.spec.get("volumeClaimTemplates", ())
            ),
            *self.spec.get("volumes", ()),
            *template.get("volumes", ()),
        ]
        spec = {
            "initContainers": template.get("initContainers", []),
            "containers": [{"name": name, **template["container"]}],
        }
        labels = template.get("metadata", {}).get("labels", {})
        return Pod(self.stage, spec, labels, self.volumes.of(f"{name}-{number}", volumes))


@dataclass
class _Dag:
    """A template whose steps wait for each other: that of the workflow, or of a pipeline that is triggered in it."""

    workflow: _Workflow
    template: str
    known: dict[str, str]
    """What its tags stand for."""

    daemons: ExitStack
    within: str = ""
    """How the names of its pods begin."""

    became: dict[str, str] = field(default_factory=dict)
    """Of its tasks."""

    ran: dict[str, Ran] = field(default_factory=dict)

    @property
    def tasks(self) -> list[Json]:
        found: list[Json] = self.workflow.template(self.template)["dag"]["tasks"]
        return found

    def run(self) -> bool:
        """Run all of it. Whether it has succeeded."""
        tasks = self.tasks
        self.became = {task["name"]: "Pending" for task in tasks}
        running: dict[Future[str], str] = {}
        with ThreadPoolExecutor() as pool:
            while "Pending" in self.became.values() or running:
                for task in self._to_start(tasks) if "Pending" in self.became.values() else ():
                    self.became[task["name"]] = "Running"
                    running[pool.submit(copy_context().run, self._task, task)] = task["name"]
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self.became[running.pop(future)] = self._outcome(future)
        return not _has_failed(tasks, self.became)

    def _outcome(self, future: Future[str]) -> str:
        try:
            return future.result()
        except BaseException:
            self.workflow.stage.clear()  # else the pool would wait for what runs
            raise

    def _to_start(self, tasks: list[Json]) -> list[Json]:
        """The tasks whose time has come; those whose time never comes are noted, and what follows from that."""
        found: list[Json] = []
        before = dict(self.became)
        for task in tasks:
            if self.became[task["name"]] != "Pending":
                continue
            depends = task.get("depends", "")
            if any(self.became[name] not in _OVER for name in names_in(depends)):
                continue
            if holds(depends, self.became):
                found.append(task)
            else:
                self.became[task["name"]] = "Omitted"
        if not found and before == self.became and "Running" not in before.values():
            raise FatalError("the DAG waits for itself")
        return found

    def _task(self, task: Json) -> str:
        """Run a task to its end, or one for each of its items in turn; what became of it."""
        if unknown := task.keys() - {"name", "template", "depends", "arguments", "withParam"}:
            raise FatalError(f"a rehearsal does not know `{min(unknown)}` of a task of Argo")
        name = task["name"]
        if "withParam" not in task:
            return self._once(name, task, self.known)
        now = time.monotonic()
        self.ran[name] = Ran(name, 0, now, now)
        became = [
            self._once(f"{name}-{number}", task, {**self.known, "item": _item_text(item)})
            for number, item in enumerate(json.loads(substituted(task["withParam"], self.known)))
        ]
        ran = [self.ran.pop(f"{name}-{number}") for number in range(len(became))]
        if ran:
            code = next((one.code for one in ran if one.code), 0)
            self.ran[name] = replace(ran[-1], name=name, code=code, began=ran[0].began)
        return "Failed" if "Failed" in became else "Succeeded" if became else "Skipped"

    def _once(self, name: str, task: Json, known: Mapping[str, str]) -> str:
        arguments = {p["name"]: p["value"] for p in task.get("arguments", {}).get("parameters", ())}
        given = {f"inputs.parameters.{k}": substituted(v, known) for k, v in arguments.items()}
        template = self.workflow.template(task["template"])
        inner = {**self.known, **given}
        if "dag" in template:
            return self._tried(name, template, lambda number: self._triggered(name, template, inner, number))
        template = substituted(template, inner)
        if template.get("daemon"):
            pod = self.workflow.pod(self.within + name, template, 1)
            address = self.daemons.enter_context(pod.daemon())
            self.known[f"tasks.{name}.ip"] = address
            return "Daemoned"
        return self._tried(name, template, lambda number: self._pod(name, template, number))

    def _tried(self, name: str, template: Json, run: Callable[[int], bool]) -> str:
        """Run what a template says as often as its `retryStrategy` does."""
        retry = template.get("retryStrategy", {})
        for number in range(1, int(retry.get("limit", 0)) + 2):
            succeeded = run(number)
            self.ran[name] = replace(self.ran[name], tries=number)
            if succeeded:
                return "Succeeded"
            if self.ran[name].code in _final_codes(retry):
                break
        return "Failed"

    def _pod(self, name: str, template: Json, number: int) -> bool:
        pod = self.workflow.pod(self.within + name, template, number)
        succeeded = pod.run()
        self.ran[name] = replace(pod.ran[-1], name=name)
        if succeeded:
            self._take_outputs(name, template, pod.volumes)
        return succeeded

    def _triggered(self, name: str, template: Json, known: dict[str, str], number: int) -> bool:
        """Run a DAG in place of a pod; it is told of as one."""
        began = time.monotonic()
        dag = _Dag(self.workflow, template["name"], known, self.daemons, f"{self.within}{name}-{number}--")
        succeeded = dag.run()
        code = next((one.code for one in dag.ran.values() if one.code), 1)
        self.ran[name] = Ran(name, 0 if succeeded else code, began, time.monotonic())
        return succeeded

    def _take_outputs(self, name: str, template: Json, volumes: Mapping[str, Path]) -> None:
        """Know the parameters that a pod has left in files of its volumes."""
        for parameter in template.get("outputs", {}).get("parameters", ()):
            file = PurePosixPath(parameter["valueFrom"]["path"])
            mounts = template["container"].get("volumeMounts", ())
            mount = next((one for one in mounts if file.is_relative_to(one["mountPath"])), None)
            if mount is None:
                raise FatalError(f"a rehearsal does not find {file}, which is in no volume")
            text = (volumes[mount["name"]] / file.relative_to(mount["mountPath"])).read_text(encoding="utf-8")
            self.known[f"tasks.{name}.outputs.parameters.{parameter['name']}"] = text


def _at_its_end(workflow: _Workflow, dag: _Dag) -> None:
    """Run `onExit`, whose steps say when."""
    if "onExit" not in workflow.spec:
        return
    failed = [name for name, state in dag.became.items() if state == "Failed"]
    status = "Failed" if _has_failed(dag.tasks, dag.became) else "Succeeded"
    failures = [
        {"displayName": name, "phase": "Failed", "message": f"exit code {dag.ran[name].code}"}
        for name in failed
    ]
    known = {**dag.known, "workflow.status": status, "workflow.failures": json.dumps(failures)}
    for (step,) in workflow.template(workflow.spec["onExit"])["steps"]:
        if _is_wanted(substituted(step.get("when", ""), known)):
            workflow.pod(step["template"], substituted(workflow.template(step["template"]), known), 1).run()


def _item_text(item: object) -> str:
    """An item as a parameter: text as it is, anything else as JSON."""
    return item if isinstance(item, str) else json.dumps(item)


def _has_failed(tasks: list[Json], became: Mapping[str, str]) -> bool:
    """Whether the DAG has: by the tasks that no other depends on, and what kept those from starting."""
    depends = {task["name"]: names_in(task.get("depends", "")) for task in tasks}
    needed = set().union(*depends.values())

    def is_lost(name: str) -> bool:
        if became[name] == "Omitted":
            return any(map(is_lost, depends[name]))
        return became[name] == "Failed"

    return any(is_lost(name) for name in depends if name not in needed)


def _final_codes(retry: Json) -> list[int]:
    """The exit codes after which there is no other try."""
    expression = retry.get("expression")
    if expression is None:
        return []
    found = _FINAL.fullmatch(expression)
    if found is None:
        raise FatalError(f"a rehearsal does not know the `retryStrategy` {expression!r}")
    return [int(code) for code in found[1].split(",")]


def _is_wanted(when: str) -> bool:
    if not when:
        return True
    left, between, right = when.partition(" != ")
    if not between:
        raise FatalError(f"a rehearsal does not know `when: {when}`")
    return left != right

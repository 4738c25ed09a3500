"""A workflow of Argo: its DAG, a pod for each task, and what runs at its end.

https://argo-workflows.readthedocs.io/en/latest/fields/. Waits between tries are left out.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from windlass.errors import FatalError
from windlass.rehearsing.container import Ran, Stage
from windlass.rehearsing.depends import holds, names_in
from windlass.rehearsing.manifests import Json, Manifests
from windlass.rehearsing.pod import Pod, Volumes
from windlass.rehearsing.text import substituted

__all__ = ["run_workflow"]

_BY_HAND = "by-hand"  # in place of a tick
_OVER = ("Succeeded", "Failed", "Omitted", "Daemoned", "Skipped")
_FINAL = re.compile(r"lastRetry\.status == 'Error' \|\| !\(asInt\(lastRetry\.exitCode\) in \[([0-9, ]+)\]\)")


def run_workflow(
    stage: Stage, manifests: Manifests, volumes: Volumes, *, fired_at: str | None, params: Mapping[str, Any]
) -> list[Ran]:
    """Run what a CronWorkflow would start, or what is submitted by hand. What became of each task."""
    owner = manifests.one_of("CronWorkflow", "Workflow", "WorkflowTemplate")
    spec: Json = owner["spec"].get("workflowSpec", owner["spec"])
    known = {"workflow.name": stage.run_id, "workflow.scheduledTime": fired_at or _BY_HAND}
    for parameter in spec.get("arguments", {}).get("parameters", ()):
        known[f"workflow.parameters.{parameter['name']}"] = substituted(parameter["value"], known)
    known["workflow.parameters.params"] = json.dumps(params)
    with ThreadPoolExecutor() as pool, ExitStack() as daemons:
        try:
            return _Workflow(stage, spec, volumes, known, daemons, pool).run()
        except BaseException:
            stage.clear()  # else the pool would wait for what runs
            raise


@dataclass
class _Workflow:
    stage: Stage
    spec: Json
    volumes: Volumes
    known: dict[str, str]
    daemons: ExitStack
    pool: ThreadPoolExecutor
    became: dict[str, str] = field(default_factory=dict)
    """Of the tasks of the DAG."""

    ran: dict[str, Ran] = field(default_factory=dict)

    def run(self) -> list[Ran]:
        tasks: list[Json] = self._template(self.spec["entrypoint"])["dag"]["tasks"]
        self.became = {task["name"]: "Pending" for task in tasks}
        running: dict[Future[str], str] = {}
        while "Pending" in self.became.values() or running:
            for task in self._to_start(tasks) if "Pending" in self.became.values() else ():
                self.became[task["name"]] = "Running"
                running[self.pool.submit(copy_context().run, self._task, task)] = task["name"]
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                self.became[running.pop(future)] = future.result()
        self._at_its_end(tasks)
        return list(self.ran.values())

    def _template(self, name: str) -> Json:
        found: Json | None = next((one for one in self.spec["templates"] if one["name"] == name), None)
        if found is None:
            raise FatalError(f"the workflow has no template {name!r}")
        return found

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
        template = substituted(self._template(task["template"]), {**self.known, **given})
        if template.get("daemon"):
            pod = self._pod(name, template, 1)
            address = self.daemons.enter_context(pod.daemon())
            self.known[f"tasks.{name}.ip"] = address
            return "Daemoned"
        return self._tried(name, template)

    def _tried(self, name: str, template: Json) -> str:
        """Run the pod of a task as often as its `retryStrategy` says."""
        retry = template.get("retryStrategy", {})
        for number in range(1, int(retry.get("limit", 0)) + 2):
            pod = self._pod(name, template, number)
            succeeded = pod.run()
            self.ran[name] = replace(pod.ran[-1], tries=number)
            if succeeded:
                self._take_outputs(name, template, pod.volumes)
                return "Succeeded"
            if self.ran[name].code in _final_codes(retry):
                break
        return "Failed"

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

    def _pod(self, name: str, template: Json, number: int) -> Pod:
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

    def _at_its_end(self, tasks: list[Json]) -> None:
        """Run `onExit`, whose steps say when."""
        if "onExit" not in self.spec:
            return
        failed = [name for name, state in self.became.items() if state == "Failed"]
        self.known["workflow.status"] = "Failed" if _has_failed(tasks, self.became) else "Succeeded"
        self.known["workflow.failures"] = json.dumps(
            [
                {"displayName": name, "phase": "Failed", "message": f"exit code {self.ran[name].code}"}
                for name in failed
            ]
        )
        for (step,) in self._template(self.spec["onExit"])["steps"]:
            if _is_wanted(substituted(step.get("when", ""), self.known)):
                self._tried(step["template"], substituted(self._template(step["template"]), self.known))


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

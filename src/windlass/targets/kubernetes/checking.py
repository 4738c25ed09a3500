"""What a CronJob, or a pod, cannot express."""

from __future__ import annotations

from collections.abc import Iterable

from windlass.errors import Code
from windlass.plan.model import RunCommand, Service, Task
from windlass.targets.pods.container import needs_script
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.refusing import Refusals
from windlass.targets.pods.schedule import cron_of

__all__ = ["check", "check_names"]

_UNSCHEDULED = ("none", "@once")


def check(pipeline: ExportedPipeline, refusals: Refusals) -> None:
    """Note what cannot be expressed of it."""
    plan, name = pipeline.plan, pipeline.plan.pipeline
    if plan.assets:
        hint = "give it a schedule, or export it to Airflow, which knows assets"
        refusals.add(name, ("schedule",), "starts nothing when assets change", hint)
    elif plan.schedule not in _UNSCHEDULED and cron_of(plan.schedule) is None:
        hint = "take plain numbers, names, lists, ranges and steps; no L, W or #"
        refusals.add(name, ("schedule",), f"has no schedule that means {plan.schedule!r}", hint)
    if plan.catchup:
        hint = "leave out `catchup`, and make up for the past with: windlass backfill"
        refusals.add(name, ("catchup",), "makes up for one missed run, not for all since `start`", hint)
    for task in plan.tasks:
        _check_references(pipeline, task, refusals)
        if pipeline.shape == "tasks":
            _check_container(pipeline, task, refusals)
        elif pipeline.said.tasks[task.name].kubernetes.resources is not None:
            hint = "say `resources` under `kubernetes` of the pipeline"
            at = ("tasks", task.name, "kubernetes", "resources")
            refusals.add(name, at, "runs all tasks of this pipeline in one container", hint)
    if pipeline.shape == "tasks":
        _check_pod(pipeline, refusals)


def check_names(pipelines: Iterable[ExportedPipeline], refusals: Refusals) -> None:
    """Note the pipelines, and the containers of a pod, that would have one name."""
    hint = "take names that differ in more than `_`, `-` and capital letters"
    objects: dict[str, str] = {}
    for pipeline in pipelines:
        name = pipeline.plan.pipeline
        if (other := objects.setdefault(pipeline.name, name)) != name:
            message = f"would have one object of {other!r} and {name!r}: {pipeline.name}"
            refusals.add(name, ("pipeline",), message, hint)
        containers: dict[str, str] = {}
        for task in pipeline.plan.tasks if pipeline.shape == "tasks" else ():
            if (other := containers.setdefault(dns_name(task.name), task.name)) != task.name:
                message = f"would have one container of {other!r} and {task.name!r}"
                refusals.add(name, ("tasks", task.name), message, hint)


def _check_pod(pipeline: ExportedPipeline, refusals: Refusals) -> None:
    """What holds where each task is a container: they come one after the other, and end with the first that fails."""
    name = pipeline.plan.pipeline
    if pipeline.plan.on_failure:
        hint = "let the cluster's monitoring tell of Jobs that fail, or have every task in the image of the project"
        refusals.add(name, ("on_failure",), "tells nobody when a pod of several images fails", hint)
    ports = [task.unit.port for task in pipeline.plan.tasks if task.kind == "service" and task.unit]
    for port in {port for port in ports if port is not None and ports.count(port) > 1}:
        first = next(t for t in pipeline.plan.tasks if t.kind == "service" and t.unit and t.unit.port == port)
        hint = "leave out `port` of one of them, and have it listen on PORT"
        at = ("tasks", first.name, "service", "port")
        refusals.add(name, at, f"has two services of one pod on port {port}", hint)


def _check_container(pipeline: ExportedPipeline, task: Task, refusals: Refusals) -> None:
    name, at = pipeline.plan.pipeline, ("tasks", task.name)
    if task.kind == "trigger":
        hint = "give the other pipeline a schedule of its own, or export to Airflow"
        refusals.add(name, (*at, "trigger"), "starts no other pipeline from a pod of several images", hint)
    if task.trigger_rule != "all_success":
        hint = "leave it to all_success, or have every task in the image of the project"
        message = f"runs the tasks of a pod in turn, and knows no {task.trigger_rule}"
        refusals.add(name, (*at, "trigger_rule"), message, hint)
    if not isinstance(task.action, RunCommand | Service) or task.unit is None or not needs_script(task.unit):
        return
    if not task.unit.command:
        hint = "say the `command` of the image, too"
        message = "fills in templates for a command that is said, and not for an image's own"
        refusals.add(name, (*at, task.kind, "env"), message, hint)
    elif pipeline.entrypoint(task) is None:
        hint = "say it, which may be []: kubernetes: {entrypoint: [python, ingest.py]}"
        message = "has to know the ENTRYPOINT of an image whose command has templates"
        refusals.add(name, (*at, task.kind, "command"), message, hint, Code.UNKNOWN_ENTRYPOINT)


def _check_references(pipeline: ExportedPipeline, task: Task, refusals: Refusals) -> None:
    """What the environment of a container cannot refer to: that takes the key of a Secret."""
    if not isinstance(task.action, RunCommand | Service):
        return
    hint = "refer to a secret with a key, or to the whole connection"
    for variable, reference in task.action.references.items():
        at = ("tasks", task.name, task.kind, "env", variable)
        if reference.secret is not None and reference.key is None:
            refusals.add(pipeline.plan.pipeline, at, "needs the key of a Secret", hint)
        elif reference.part is not None and pipeline.shape == "tasks":
            refusals.add(pipeline.plan.pipeline, at, "gives no part of a connection to a container", hint)

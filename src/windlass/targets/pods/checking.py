"""What no target with pods can express, and what only one that has words for it can."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from windlass.errors import Code
from windlass.plan.model import RunCommand, Service, Task
from windlass.spec.cluster import is_object_name
from windlass.targets.clocks import check_clock
from windlass.targets.pods.container import needs_script
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.schedule import cron_of
from windlass.targets.refusing import Refusals

__all__ = ["check_command", "check_names", "check_references", "check_told", "check_when"]

_UNSCHEDULED = ("none", "@once")
_TOLD = ("on_failure", "on_success", "on_recovery")


def check_when(pipeline: ExportedPipeline, refusals: Refusals) -> None:
    """Note what keeps it from being started when it should be, and that nobody looks whether it was."""
    plan, name = pipeline.plan, pipeline.plan.pipeline
    if plan.assets:
        hint = "give it a schedule, or export it to Airflow, which knows assets"
        refusals.add(name, ("schedule",), "starts nothing when assets change", hint)
    elif plan.schedule not in _UNSCHEDULED and cron_of(plan.schedule) is None:
        hint = "take plain numbers, names, lists, ranges and steps; no L, W or #"
        refusals.add(name, ("schedule",), f"has no schedule that means {plan.schedule!r}", hint)
    elif plan.schedule not in _UNSCHEDULED:
        check_clock(plan, refusals)
    if plan.catchup:
        hint = "leave out `catchup`, and make up for the past with: windlass backfill"
        refusals.add(name, ("catchup",), "makes up for one missed run, not for all since `start`", hint)
    if plan.on_missed:
        hint = "leave it out, and have the cluster's monitoring watch when it last succeeded"
        refusals.add(name, ("on_missed",), "keeps no history in which `windlass freshness` could look", hint)


def check_told(pipeline: ExportedPipeline, refusals: Refusals, *, can: Collection[str], hint: str) -> None:
    """Note whom nobody will tell what became of a run, or of a task. `can` are the keys of the pipeline that somebody sees to."""
    plan, name = pipeline.plan, pipeline.plan.pipeline
    for key in _TOLD:
        if key not in can and getattr(plan, key):
            refusals.add(name, (key,), f"has nobody who sees to `{key}` of a pipeline like this", hint)
        for task in plan.tasks:
            if getattr(task, key):
                at = ("tasks", task.name, key)
                refusals.add(name, at, f"has nobody who sees to `{key}` of a task of its own", hint)


def check_names(pipelines: Iterable[ExportedPipeline], refusals: Refusals) -> None:
    """Note the pipelines, and the tasks of one, that would have one name."""
    hint = "take names that differ in more than `_`, `-` and capital letters"
    objects: dict[str, str] = {}
    for pipeline in pipelines:
        name = pipeline.plan.pipeline
        if (other := objects.setdefault(pipeline.name, name)) != name:
            message = f"would have one object of {other!r} and {name!r}: {pipeline.name}"
            refusals.add(name, ("pipeline",), message, hint)
        containers: dict[str, str] = {}
        for task in pipeline.plan.tasks:
            if (other := containers.setdefault(dns_name(task.name), task.name)) != task.name:
                message = f"would have one container of {other!r} and {task.name!r}"
                refusals.add(name, ("tasks", task.name), message, hint)


def check_command(pipeline: ExportedPipeline, task: Task, refusals: Refusals) -> None:
    """Note what keeps a command in a container of its own from being started as it says."""
    if not isinstance(task.action, RunCommand | Service) or task.unit is None or not needs_script(task.unit):
        return
    name, at = pipeline.plan.pipeline, ("tasks", task.name, task.kind)
    if not task.unit.command:
        hint = "say the `command` of the image, too"
        message = "fills in templates for a command that is said, and not for an image's own"
        refusals.add(name, (*at, "env"), message, hint)
    elif pipeline.entrypoint(task) is None:
        hint = "say it, which may be []: kubernetes: {entrypoint: [python, ingest.py]}"
        message = "has to know the ENTRYPOINT of an image whose command has templates"
        refusals.add(name, (*at, "command"), message, hint, Code.UNKNOWN_ENTRYPOINT)


def check_references(pipeline: ExportedPipeline, task: Task, refusals: Refusals, *, whole: bool) -> None:
    """Note what the environment of a container cannot refer to: that takes the key of a Secret. With `whole` a part of a
    connection can be taken out by nobody.
    """
    if not isinstance(task.action, RunCommand | Service):
        return
    hint = "refer to a secret with a key, or to the whole connection"
    for variable, reference in task.action.references.items():
        at = ("tasks", task.name, task.kind, "env", variable)
        if reference.secret is not None and reference.key is None:
            refusals.add(pipeline.plan.pipeline, at, "needs the key of a Secret", hint)
        elif reference.secret is not None and not is_object_name(reference.secret):
            named = "take small letters, digits and '-'"
            refusals.add(pipeline.plan.pipeline, at, f"has no Secret of the name {reference.secret!r}", named)
        elif reference.part is not None and whole:
            refusals.add(pipeline.plan.pipeline, at, "gives no part of a connection to a container", hint)

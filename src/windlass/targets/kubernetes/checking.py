"""What a CronJob, or a pod, cannot express."""

from __future__ import annotations

from windlass.plan.model import Task
from windlass.targets.pods.checking import check_command, check_references, check_told, check_when
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.refusing import Refusals

__all__ = ["check"]


def check(pipeline: ExportedPipeline, refusals: Refusals) -> None:
    """Note what cannot be expressed of it."""
    check_when(pipeline, refusals)
    for task in pipeline.plan.tasks:
        check_references(pipeline, task, refusals, whole=pipeline.shape == "tasks")
        if pipeline.shape == "tasks":
            _check_container(pipeline, task, refusals)
        elif pipeline.said.tasks[task.name].kubernetes.resources is not None:
            hint = "say `resources` under `kubernetes` of the pipeline"
            at = ("tasks", task.name, "kubernetes", "resources")
            message = "runs all tasks of this pipeline in one container"
            refusals.add(pipeline.plan.pipeline, at, message, hint)
    if pipeline.shape == "tasks":
        _check_pod(pipeline, refusals)


def _check_pod(pipeline: ExportedPipeline, refusals: Refusals) -> None:
    """What holds where each task is a container: they come one after the other, and end with the first that fails."""
    name = pipeline.plan.pipeline
    hint = (
        "let the cluster's monitoring tell of Jobs that fail, or have every task in the image of the project"
    )
    check_told(pipeline, refusals, can=(), hint=hint)
    ports: dict[int, str] = {}
    for task in pipeline.plan.tasks:
        port = task.unit.port if task.kind == "service" and task.unit else None
        if port is not None and ports.setdefault(port, task.name) != task.name:
            hint = "leave out `port` of one of them, and have it listen on PORT"
            at = ("tasks", task.name, "service", "port")
            refusals.add(name, at, f"has two services of one pod on port {port}", hint)


def _check_container(pipeline: ExportedPipeline, task: Task, refusals: Refusals) -> None:
    name, at = pipeline.plan.pipeline, ("tasks", task.name)
    if task.kind == "trigger":
        hint = "give the other pipeline a schedule of its own, or export to Airflow"
        refusals.add(name, (*at, "trigger"), "starts no other pipeline from a pod of several images", hint)
    if task.each is not None:
        hint = "have every task in the image of the project, or export to Argo or Airflow"
        message = "has the containers of a pod before it runs, and not one of each entry that a task writes"
        refusals.add(name, (*at, "for_each"), message, hint)
    if task.trigger_rule != "all_success":
        hint = "leave it to all_success, or have every task in the image of the project"
        message = f"runs the tasks of a pod in turn, and knows no {task.trigger_rule}"
        refusals.add(name, (*at, "trigger_rule"), message, hint)
    check_command(pipeline, task, refusals)

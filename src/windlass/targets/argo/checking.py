"""What a workflow of Argo cannot express."""

from __future__ import annotations

from windlass.plan.model import Trigger
from windlass.targets.argo.template import entries_step
from windlass.targets.pods.checking import check_command, check_references, check_told, check_when
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.names import dns_name
from windlass.targets.refusing import Refusals

__all__ = ["check"]


def check(pipeline: ExportedPipeline, refusals: Refusals) -> None:
    """Note what cannot be expressed of it."""
    name = pipeline.plan.pipeline
    check_when(pipeline, refusals)
    hint = "say `on_failure` of the pipeline, or tell it by a task with `notify`"
    check_told(pipeline, refusals, can=("on_failure",), hint=hint)
    names = {dns_name(task.name): task.name for task in pipeline.plan.tasks}
    for task in pipeline.plan.tasks:
        if task.each is not None and (other := names.get(entries_step(task))) is not None:
            message = f"would have one step of {other!r} and of what lists the entries of {task.name!r}"
            refusals.add(name, ("tasks", other), message, "give it another name")
        check_references(pipeline, task, refusals, whole=True)
        check_command(pipeline, task, refusals)
        if isinstance(task.action, Trigger):
            hint = "give the other pipeline a schedule of its own, or export to Airflow"
            refusals.add(name, ("tasks", task.name, "trigger"), "starts no other pipeline from a run", hint)
        if not float(task.retry.backoff).is_integer():
            said = pipeline.said.tasks[task.name].backoff is not None
            at = ("tasks", task.name, "backoff") if said else ("defaults", "backoff")
            refusals.add(name, at, "multiplies waits by whole numbers", "take 1, 2 or 3")

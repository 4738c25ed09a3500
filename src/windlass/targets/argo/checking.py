"""What a workflow of Argo cannot express."""

from __future__ import annotations

from windlass.plan.model import Task, Trigger
from windlass.targets.argo.before import before
from windlass.targets.pods.checking import check_command, check_references, check_told, check_when
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.settings import pod_parts
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
        check_references(pipeline, task, refusals, whole=True)
        check_command(pipeline, task, refusals)
        step = before(task)
        if step is not None and (other := names.get(step.name)) is not None:
            message = f"would have one step of {other!r} and of what {step.does} {task.name!r}"
            refusals.add(name, ("tasks", other), message, "give it another name")
        if isinstance(task.action, Trigger):
            _check_trigger(pipeline, task, task.action, refusals)
        if not float(task.retry.backoff).is_integer():
            said = pipeline.said.tasks[task.name].backoff is not None
            at = ("tasks", task.name, "backoff") if said else ("defaults", "backoff")
            refusals.add(name, at, "multiplies waits by whole numbers", "take 1, 2 or 3")


def _check_trigger(pipeline: ExportedPipeline, task: Task, action: Trigger, refusals: Refusals) -> None:
    """What is triggered runs in the workflow of who triggers it, so it has to be waited for, and what is said of a whole
    workflow holds for it, too.
    """
    name, at = pipeline.plan.pipeline, ("tasks", task.name, "trigger")
    if not action.wait:
        hint = "leave out `wait`, or give the other pipeline a schedule of its own"
        refusals.add(name, (*at, "wait"), "leaves no run behind that nobody waits for", hint)
    other = pipeline.others[action.pipeline]
    if pod_parts(other.pods) != pod_parts(pipeline.pods):
        hint = "say under `kubernetes` of both what differs, or under runtimes.kubernetes in windlass.yaml"
        message = f"runs {action.pipeline!r} in the same workflow, and so on pods with the same account, volumes and place"
        refusals.add(name, (*at, "pipeline"), message, hint)
    for inner in other.plan.tasks:
        check_references(other, inner, refusals, whole=True)
        check_command(other, inner, refusals)
        if isinstance(inner.action, Trigger):
            _check_trigger(other, inner, inner.action, refusals)

"""The shape of a pipeline in pods.

Where every task runs in the image of the project, one container runs the whole plan, with the runner that runs it
everywhere: retries, trigger rules, tasks side by side, alerts. Where tasks have images of their own, each task is a container.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from windlass.plan.model import Plan, RunCommand, Service, Task, Trigger

__all__ = ["Shape", "is_in_project_image", "shape_of", "with_triggered"]

Shape: TypeAlias = Literal["run", "tasks"]


def shape_of(plan: Plan, plans: Mapping[str, Plan]) -> Shape:
    """How the pipeline runs. `plans` are those of the project: a pipeline that is triggered runs where the trigger does."""
    reached = with_triggered(plan, plans)
    return "run" if all(map(is_in_project_image, (t for p in reached for t in p.tasks))) else "tasks"


def with_triggered(plan: Plan, plans: Mapping[str, Plan]) -> list[Plan]:
    """The plan, and those of all pipelines that a run of it starts."""
    found, waiting = {plan.pipeline: plan}, [plan]
    while waiting:
        for task in waiting.pop().tasks:
            other = plans.get(task.action.pipeline) if isinstance(task.action, Trigger) else None
            if other is not None and other.pipeline not in found:
                found[other.pipeline] = other
                waiting.append(other)
    return list(found.values())


def is_in_project_image(task: Task) -> bool:
    """Whether the image of the project executes it: windlass itself, and commands without an image or folder of their own."""
    if not isinstance(task.action, RunCommand | Service) or task.unit is None:
        return True
    return task.unit.build is None and (task.unit.container.image is None or task.unit.container.of_project)

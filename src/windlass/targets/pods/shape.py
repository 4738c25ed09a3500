"""The shape of a pipeline in pods.

Where every task runs in the image of the project, one container runs the whole plan, with the runner that runs it
everywhere: retries, trigger rules, tasks side by side, alerts. Where tasks have images of their own, each task is a container.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from windlass.plan.model import Plan, RunCommand, Service, Task
from windlass.targets.choosing import with_triggered

__all__ = ["Shape", "is_in_project_image", "shape_of"]

Shape: TypeAlias = Literal["run", "tasks"]


def shape_of(plan: Plan, plans: Mapping[str, Plan]) -> Shape:
    """How the pipeline runs. `plans` are those of the project: a pipeline that is triggered runs where the trigger does."""
    reached = with_triggered(plan, plans)
    return "run" if all(map(is_in_project_image, (t for p in reached for t in p.tasks))) else "tasks"


def is_in_project_image(task: Task) -> bool:
    """Whether the image of the project executes it: windlass itself, and commands without an image or folder of their own."""
    if not isinstance(task.action, RunCommand | Service) or task.unit is None:
        return True
    return task.unit.build is None and (task.unit.container.image is None or task.unit.container.of_project)

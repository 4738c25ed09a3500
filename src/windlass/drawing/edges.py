"""What a picture is made from: the edges of a plan, and the layers that they put its tasks into."""

from __future__ import annotations

from typing import NamedTuple

from windlass.plan.model import Plan, Service

__all__ = ["Edge", "edges_of", "is_service", "layers_of"]


class Edge(NamedTuple):
    """`target` needs `source`; with `uses`, the source is a service that is up while the target runs."""

    source: str
    target: str
    uses: bool


def edges_of(plan: Plan) -> list[Edge]:
    """Every edge, in the order of the tasks that they lead to."""
    return [
        Edge(source, task.name, uses)
        for task in plan.tasks
        for uses, sources in ((False, task.needs), (True, task.uses))
        for source in sources
    ]


def is_service(plan: Plan) -> dict[str, bool]:
    """Which tasks are services."""
    return {task.name: isinstance(task.action, Service) for task in plan.tasks}


def layers_of(plan: Plan) -> list[list[str]]:
    """The tasks by the longest path that leads to them; a service just before its first user."""
    layer: dict[str, int] = {}
    for task in plan.tasks:
        layer[task.name] = 1 + max((layer[name] for name in (*task.needs, *task.uses)), default=-1)
    for task in plan.tasks:
        users = [layer[other.name] for other in plan.tasks if task.name in other.uses]
        if users:
            layer[task.name] = min(users) - 1
    layers: list[list[str]] = [[] for _ in range(1 + max(layer.values(), default=-1))]
    for name, number in layer.items():
        layers[number].append(name)
    return layers

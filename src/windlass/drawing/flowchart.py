"""A plan as a Mermaid flowchart, for a README or a wiki."""

from __future__ import annotations

from windlass.drawing.edges import edges_of
from windlass.plan.model import Plan, Service, Task, Trigger

__all__ = ["mermaid"]


def mermaid(plan: Plan) -> str:
    """A `flowchart LR`: services are rounded and joined by dotted arrows, triggers have double sides.

    Nodes are numbered: `end`, `class` and other names that a task may have mean something to Mermaid.
    """
    ids = {task.name: f"t{number}" for number, task in enumerate(plan.tasks, 1)}
    nodes = [f"  {ids[task.name]}{_shape(task)}" for task in plan.tasks]
    arrows = [
        f"  {ids[edge.source]} {'-.->' if edge.uses else '-->'} {ids[edge.target]}" for edge in edges_of(plan)
    ]
    return "\n".join(["flowchart LR", *nodes, *arrows])


def _shape(task: Task) -> str:
    label = f'"{_escaped(task.name)}<br/><small>{_escaped(task.kind)}</small>"'
    match task.action:
        case Service():
            return f"([{label}])"
        case Trigger():
            return f"[[{label}]]"
        case _:
            return f"[{label}]"


def _escaped(text: str) -> str:
    """Text as entities of Mermaid's own, wherever a character could mean something."""
    return "".join(c if c.isalnum() or c in " _-." else f"#{ord(c)};" for c in text)

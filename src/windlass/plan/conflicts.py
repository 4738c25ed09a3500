"""What is valid, and probably not what was meant: tasks of one pipeline that undo each other's work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from windlass.plan.model import Copy, Plan

__all__ = ["conflicts"]


def conflicts(plan: Plan) -> Iterator[str]:
    """Tasks that replace the same table or file: of two, only the rows of one are there afterwards."""
    replacing: defaultdict[tuple[str | None, str], list[str]] = defaultdict(list)
    for task in plan.tasks:
        if isinstance(task.action, Copy):
            to = task.action.destination
            place = to.path or to.rows_in
            if to.mode == "replace" and place is not None:
                replacing[to.connection, place].append(task.name)
    for (connection, place), tasks in replacing.items():
        if len(tasks) > 1:
            where = place if connection is None else f"{place} in {connection}"
            yield f"{plan.pipeline}: {' and '.join(tasks)} replace {where}, so the rows of only one of them stay"

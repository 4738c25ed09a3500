"""All tasks of a pipeline, each after those that it needs."""

from __future__ import annotations

from windlass.errors import Code
from windlass.plan import model
from windlass.plan.compiler.draft import Draft
from windlass.plan.compiler.entries import check_entries
from windlass.plan.compiler.one_task import task_of
from windlass.plan.compiler.paths import check_depth, check_paths
from windlass.plan.graph import Cycle, order
from windlass.spec.yaml import KeyPath
from windlass.templates.budget import OF_A_PIPELINE, within_budget

__all__ = ["tasks_in_order"]

_CYCLES = 20  # so many are told


def tasks_in_order(draft: Draft) -> tuple[model.Task, ...]:
    """The tasks that make sense, in their order. What is wrong is in the notes of the draft."""
    groups: dict[str, str] = {}
    with within_budget(OF_A_PIPELINE):
        tasks = {name: task_of(name, task, groups, draft) for name, task in draft.spec.tasks.items()}
    sound = {name: task for name, task in tasks.items() if task is not None}
    check_paths({name: task.output for name, task in sound.items()}, draft)
    check_entries(tasks, draft)
    ordered = _in_order(sound, draft)
    check_depth(ordered, draft)
    return ordered


def _in_order(tasks: dict[str, model.Task], draft: Draft) -> tuple[model.Task, ...]:
    needs = {name: [n for n in (*task.needs, *task.uses) if n in tasks] for name, task in tasks.items()}
    for _ in range(_CYCLES):
        try:
            return tuple(tasks[name] for name in order(needs))
        except Cycle as exc:
            _tell_of(exc, draft)
            needs[exc.path[0]].remove(exc.path[1])  # there may be others
    return ()


def _tell_of(cycle: Cycle, draft: Draft) -> None:
    name, needed = cycle.path[0], cycle.path[1]
    written = draft.spec.tasks[name].needs
    path: KeyPath = ("tasks", name)
    if needed in written:
        path = (*path, "needs", written.index(needed))
    draft.notes.problem(path, Code.CYCLE, f"the tasks need each other in a cycle: {cycle}")

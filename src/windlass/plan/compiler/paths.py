"""Which paths of other tasks a task may name, and of how many a path may be made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from windlass.errors import Code
from windlass.plan import model
from windlass.plan.compiler.draft import Draft
from windlass.spec.pipeline import KINDS
from windlass.templates import tasks_in

__all__ = ["check_depth", "check_paths"]

_MADE_OF = 100


def check_paths(outputs: Mapping[str, str | None], draft: Draft) -> None:
    """`tasks.NAME.path` is of a task that writes a file, and no file's path is made of itself.

    `outputs` are the paths of the tasks that make sense.
    """
    for name, places in draft.filling.named.items():
        for other, path in places.items():
            is_known = not any(draft.file.lacks("tasks", other, kind) for kind in KINDS)
            if other in outputs and outputs[other] is None and is_known:
                is_entry_file = path[2] == "for_each"
                hint = "say in `path` which file it writes them to" if is_entry_file else None
                draft.notes.problem(path, Code.TASK_WITHOUT_FILE, _why_no_path(other, draft), hint)
        if name in tasks_in(outputs.get(name) or ""):
            draft.notes.problem(places[name], Code.CYCLE, f"the path of {name!r} is made of itself")


def _why_no_path(name: str, draft: Draft) -> str:
    if name in draft.each:
        return f"{name!r} is a task of each entry, and each of them writes a file of its own"
    return f"{name!r} is a {draft.spec.tasks[name].kind} task and writes no file that has a path"


def check_depth(ordered: Iterable[model.Task], draft: Draft) -> None:
    """A path is made of a few others: each task takes all of them along."""
    made_of: dict[str, frozenset[str]] = {}
    for task in ordered:
        named = tasks_in(task.output or "")
        made_of[task.name] = named.union(*(made_of.get(name, frozenset()) for name in named))
        if len(made_of[task.name]) > _MADE_OF:
            message = f"the path of {task.name!r} is made of those of more than {_MADE_OF} other tasks"
            path = draft.filling.named[task.name][min(named)]
            draft.notes.problem(path, Code.INVALID_TEMPLATE, message)
            made_of[task.name] = frozenset()

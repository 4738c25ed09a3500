"""Tasks that are one of each entry of a file which an earlier task writes (`for_each`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from windlass.errors import Code
from windlass.plan import model
from windlass.plan.compiler.draft import Draft
from windlass.plan.instances import ENTRY_FILES
from windlass.templates import TemplateError, Uses, names_in

__all__ = ["check_entries", "each_of"]


def each_of(name: str, uses: Uses, draft: Draft) -> model.Each | None:
    """The entries of which a run makes a task each, if there are."""
    spec, at = draft.each.get(name), ("tasks", name, "for_each")
    if spec is None or spec.of is None or not _writes_entries(spec.of, (*at, "of"), draft):
        return None
    own, where = f"{{{{ tasks[{spec.of!r}].path }}}}", (*at, "of" if spec.path is None else "path")
    path = str(draft.filling.string(own if spec.path is None else spec.path, where, uses))
    limit = model.Each.MOST if spec.limit is None else spec.limit
    return model.Each(of=spec.of, path=path, records=spec.records, name=spec.name, limit=limit)


def _writes_entries(other: str, path: tuple[str, ...], draft: Draft) -> bool:
    """Whether another task could write the file of entries: it is there, and it ends."""
    if other not in draft.position:
        hint = draft.notes.near(other, draft.position)
        draft.notes.problem(path, Code.UNKNOWN_TASK, f"unknown task {other!r}", hint)
    elif draft.spec.tasks[other].service:
        draft.notes.problem(path, Code.TASK_OR_SERVICE, f"{other!r} is a service and never ends")
    else:
        return True
    return False


def check_entries(tasks: Mapping[str, model.Task | None], draft: Draft) -> None:
    """Look whether there are entries in such files, and what is made of entries is made when they are there.

    `tasks` are the compiled ones, None for one that makes no sense.
    """
    for name in draft.each:
        task = tasks[name]
        if task is not None and task.each is not None:
            _check_file(task, task.each, tasks, draft)
            _check_name(task, task.each, draft)
            _check_image(task, draft)


def _check_file(
    task: model.Task, each: model.Each, tasks: Mapping[str, model.Task | None], draft: Draft
) -> None:
    says_path, other = draft.each[task.name].path is not None, tasks.get(each.of)
    written = each.path if says_path else (other.output if other is not None else None)
    suffix = PurePosixPath("_" + (written or "").rpartition("}}")[2]).suffix.lower()
    if written and not (written.endswith("}}") or suffix in ENTRY_FILES):
        where = ("tasks", task.name, "for_each", "path" if says_path else "of")
        message = f"there are no entries in {written!r}: expected a {', '.join(ENTRY_FILES)} file"
        draft.notes.problem(where, Code.WRONG_FORM, message)


def _check_name(task: model.Task, each: model.Each, draft: Draft) -> None:
    path = ("tasks", task.name, "for_each", "name")
    try:
        if each.name is not None and names_in(each.name) != {"each"}:
            message = "the name of an entry is made of the entry, which is `each`, and of nothing else"
            draft.notes.problem(path, Code.INVALID_TEMPLATE, message)
    except TemplateError as exc:
        draft.notes.problem(path, exc.code, str(exc), exc.hint)


def _check_image(task: model.Task, draft: Draft) -> None:
    if task.unit is None:
        return
    for key, text in (("image", task.unit.container.image), ("build", task.unit.build)):
        if "each" in names_in(text or ""):
            message = "the image of a command is there before the entries are"
            draft.notes.problem(("tasks", task.name, "run", key), Code.KEYS_DO_NOT_FIT, message)

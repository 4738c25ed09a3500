"""The tasks that a run makes of a task with entries: one of each, as if they had stood in the pipeline file.

An entry takes its place in all templates of the task, so whatever starts, executes or tells of such a task knows nothing of
entries. Its name is made of that of the task and that of the entry, and with it all that is known of it: its loads in the
ledgers, its log, its quarantine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from windlass.entries import Entry, valid_name
from windlass.errors import Code, FatalError
from windlass.plan.model import Plan, Task
from windlass.plan.strings import with_strings
from windlass.templates import TemplateError, filled

__all__ = [
    "ENTRY",
    "ENTRY_FILES",
    "escaped",
    "from_text",
    "instance",
    "instances",
    "to_text",
    "with_instances",
]

ENTRY = "WINDLASS_ENTRY"
"""The variable with the entry that a scheduler starts the task for."""

ENTRY_FILES = (".csv", ".json", ".ndjson", ".jsonl", ".yaml", ".yml", ".txt")
_LONGEST = 100  # characters of a name, as everywhere


def instances(plan: Plan, task: Task, entries: Sequence[Entry]) -> list[Task]:
    """The task of each entry, in their order. Raises FatalError for an entry of which none can be made."""
    taken: dict[str, str] = {other.name: "the pipeline has that task" for other in plan.tasks}
    made = []
    for entry in entries:
        one = instance(task, entry)
        if one.name in taken:
            message = f"{entry} makes the task {one.name!r}, and {taken[one.name]}"
            raise FatalError(message, hint=_HOW_TO_NAME, code=Code.NAME_TAKEN)
        taken[one.name] = f"so does {entry}"
        made.append(one)
    return made


def instance(task: Task, entry: Entry) -> Task:
    """The task of one entry. Raises FatalError when none can be made of it."""
    name = _name(task, entry)

    def fill(text: str) -> str:
        value = filled(text, entry.value)
        return "" if value is None else str(value)

    try:
        return replace(
            task,
            name=name,
            each=None,
            inlets=with_strings(task.inlets, fill),
            outlets=with_strings(task.outlets, fill),
            action=with_strings(task.action, fill),
            unit=with_strings(task.unit, fill),
            on_failure=(),
            on_success=(),
            on_recovery=(),
        )
    except TemplateError as exc:
        raise FatalError(f"task {task.name!r}: {exc} ({entry})", hint=exc.hint, code=exc.code) from exc


def with_instances(plan: Plan, task: Task, made: Sequence[Task]) -> Plan:
    """The plan in which the task stands for those that were made of it, and comes after them."""
    if not made:
        return plan
    tasks: list[Task] = []
    for other in plan.tasks:
        if other.name == task.name:
            tasks += [*made, replace(task, needs=tuple(one.name for one in made))]
        else:
            tasks.append(other)
    return replace(plan, tasks=tuple(tasks))


_HOW_TO_NAME = 'say with `name` what tells them apart: for_each: {of: …, name: "{{ each.table }}"}'


def _name(task: Task, entry: Entry) -> str:
    if not entry.name:
        message = f"the entry at {entry.place} has nothing to name its task by"
        raise FatalError(message, hint=_HOW_TO_NAME, code=Code.MISSING_KEY)
    name = f"{task.name}_{valid_name(entry.name)}"
    if len(name) > _LONGEST:
        message = f"the name {name[:_LONGEST]!r}… of the task of the entry at {entry.place} has {len(name):,} characters"
        hint = f"at most {_LONGEST} are possible; say with `name` what to call it"
        raise FatalError(message, hint=hint, code=Code.OUT_OF_RANGE)
    return name


# --- an entry as schedulers hand it on --------------------------------------------------------------


def to_text(entry: Entry, dollar: str = "\\u0024") -> str:
    """The entry as JSON, in which nothing is left that Kubernetes or Argo would fill in. Whoever reads it before they do
    has to be given `$$` for a `$`, which Kubernetes takes for one.
    """
    found = {"name": entry.name, "value": entry.value, "place": entry.place}
    return escaped(json.dumps(found, ensure_ascii=False), dollar)


def escaped(text: str, dollar: str = "\\u0024") -> str:
    """JSON in which nothing is left that Kubernetes or Argo would fill in."""
    return text.replace("$", dollar).replace("{{", "\\u007b\\u007b")


def from_text(text: str) -> Entry:
    """The entry that was handed on. Raises FatalError for anything else."""
    try:
        found: Any = json.loads(text)
        return Entry(found["value"], str(found["name"]), str(found["place"]))
    except (ValueError, LookupError, TypeError) as exc:
        hint = "it is one of those that `windlass exec PIPELINE TASK --entries` lists"
        raise FatalError(f"this is not an entry: {text[:100]!r}", hint=hint) from exc

"""What a `for_each` makes of a pipeline file: a pipeline of each entry, a task of each entry.

It happens before anything is validated, and on the document: so every key can take `each`, whatever reads it
afterwards knows only pipelines and tasks, and a mistake is shown where it stands in the template, with its entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from windlass.entries import Entry, valid_name
from windlass.errors import Code, Problem, SpecError
from windlass.spec.entries import entries_of, is_written_by_task
from windlass.spec.yaml import Document, KeyPath, Mark
from windlass.templates import TemplateError, filled, is_template

__all__ = ["expanded"]

_KEY = "for_each"
_NAMING = ("needs", "uses")
_MOST_NEEDED = 100_000  # names after each other's, all tasks together: the tasks of two `for_each` multiply


def expanded(root: Path, document: Document) -> list[Document]:
    """One document for each pipeline that the file makes. Raises SpecError with what is wrong with its entries."""
    if not isinstance(document.value, dict):
        return [document]
    return [_with_tasks(root, pipeline) for pipeline in _pipelines(root, document)]


def _pipelines(root: Path, document: Document) -> list[Document]:
    value: Any = document.value
    if _KEY not in value:
        return [document]
    entries = entries_of(root, document, (_KEY,), value[_KEY])
    rest = {key: part for key, part in value.items() if key != _KEY}
    filling = _Filling(document)
    made = [_with_valid_name(filling.of(rest, entry, ())) for entry in entries]
    filling.check(_same_names(document, [pipeline.get("pipeline") for pipeline in made], entries))
    marks = {path: mark for path, mark in document.marks.items() if path[:1] != (_KEY,)}
    return [
        replace(document, value=pipeline, marks=marks, entries={(): str(entry)})
        for pipeline, entry in zip(made, entries, strict=True)
    ]


def _with_valid_name(pipeline: dict[str, Any]) -> dict[str, Any]:
    """A name that still is a template, or could not be filled in, stays one: it is not a valid name."""
    name: Any = pipeline.get("pipeline")
    return {**pipeline, "pipeline": valid_name(name)} if _is_name(name) else pipeline


def _same_names(document: Document, names: list[object], entries: list[Entry]) -> Iterator[Problem]:
    first: dict[object, Entry] = {}
    for name, entry in zip(names, entries, strict=True):
        if (other := first.setdefault(name, entry)) is not entry and _is_name(name):
            message = f"{other} and {entry} both make the pipeline {name!r}"
            yield document.problem(
                ("pipeline",), Code.NAME_TAKEN, message, hint="name it by what tells them apart: {{ each.… }}"
            )


def _is_name(name: object) -> bool:
    return isinstance(name, str) and not is_template(name)


def _with_tasks(root: Path, document: Document) -> Document:
    """The document with the tasks that its tasks make."""
    value: Any = document.value
    tasks = value.get("tasks")
    if not isinstance(tasks, dict) or not any(map(_is_made_of_entries, tasks.values())):
        return document
    making = _Tasks(root, document)
    for name, task in tasks.items():
        if _is_made_of_entries(task):
            making.add_each(name, task)
        else:
            making.add(name, task)
    making.filling.check()
    return making.document()


def _is_made_of_entries(task: object) -> bool:
    """Whether there is a task of each entry now. Those that a task writes make theirs when the pipeline runs."""
    return isinstance(task, dict) and _KEY in task and not is_written_by_task(task[_KEY])


class _Filling:
    """Puts entries into templates, and gathers what is wrong with that."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems: list[Problem] = []

    def of(self, value: object, entry: Entry, at: KeyPath) -> Any:
        """The value with its templates filled. Of a task with a `for_each` of its own only that one is, and not its `name`:
        there `each` is another entry.
        """
        if isinstance(value, dict):
            if len(at) == 2 and at[0] == "tasks" and _KEY in value:
                own = value[_KEY]
                name = {"name": own["name"]} if isinstance(own, dict) and "name" in own else {}
                rest = {key: part for key, part in own.items() if key not in name} if name else own
                entries = self.of(rest, entry, (*at, _KEY))
                return {**value, _KEY: {**entries, **name} if name else entries}
            return {key: self.of(part, entry, (*at, key)) for key, part in value.items()}
        if isinstance(value, list):
            return [self.of(part, entry, (*at, i)) for i, part in enumerate(value)]
        return self._filled(value, entry, at) if isinstance(value, str) else value

    def _filled(self, text: str, entry: Entry, at: KeyPath) -> object:
        try:
            return filled(text, entry.value)
        except TemplateError as exc:
            problem = self._document.problem(at, exc.code, str(exc), hint=exc.hint)
            self._problems.append(replace(problem, entries=(str(entry),)))
            return text

    def check(self, others: Iterable[Problem] = ()) -> None:
        """Raise SpecError if something was wrong."""
        if problems := [*self._problems, *others]:
            raise SpecError(problems)


class _Tasks:
    """The tasks of a document, as they are made."""

    def __init__(self, root: Path, document: Document) -> None:
        self.filling = _Filling(document)
        self._root, self._from = root, document
        self._tasks: dict[str, Any] = {}
        self._needed = 0
        self._made: dict[str, list[str]] = {}
        self._from_entry: dict[str, Entry] = {}
        self._entries: dict[KeyPath, str] = dict(document.entries)
        self._marks: dict[KeyPath, Mark] = dict(document.marks)

    def add(self, name: str, task: object) -> None:
        if name in self._tasks:
            self._taken(name, name, self._from_entry[name])
        self._tasks[name] = task

    def add_each(self, name: str, task: Mapping[str, Any]) -> None:
        """A task of each entry, in a group that has the name."""
        at: KeyPath = ("tasks", name)
        entries = entries_of(self._root, self._from, (*at, _KEY), task[_KEY])
        body = {key: part for key, part in task.items() if key != _KEY}
        marks = (
            self._from.marks.items()
        )  # but for those of the entries, which would be there once for each of them
        below = {path[2:]: mark for path, mark in marks if path[:2] == at and path[2:3] != (_KEY,)}
        self._made[name], outer = [], self._from.entries.get(())
        for entry in entries:
            made = self._name(name, entry)
            if made in self._tasks:
                self._taken(made, name, entry)
            self._from_entry[made] = entry
            own = self.filling.of(body, entry, at)
            self._tasks[made] = {**own, "group": f"{own['group']}.{name}" if own.get("group") else name}
            self._marks.update({("tasks", made, *path): mark for path, mark in below.items()})
            self._entries["tasks", made] = ", ".join(filter(None, (outer, str(entry))))
            self._made[name].append(made)

    def _name(self, name: str, entry: Entry) -> str:
        if entry.name is None:
            message = f"the entry at {entry.place} has nothing to name its task by"
            hint = 'say it with `name`: for_each: {entries: […], name: "{{ each.table }}"}'
            raise SpecError([self._from.problem(("tasks", name, _KEY), Code.MISSING_KEY, message, hint=hint)])
        return f"{name}_{valid_name(entry.name)}"

    def _taken(self, name: str, by: str, entry: Entry) -> None:
        other = self._from_entry.get(name, entry)
        message = f"{entry} makes the task {name!r}, and there is one of that name"
        if other is not entry:
            message = f"{other} and {entry} both make the task {name!r}"
        hint = "give each entry another name, with `name`"
        raise SpecError([self._from.problem(("tasks", by), Code.NAME_TAKEN, message, hint=hint, at_key=True)])

    def _too_many(self, at: KeyPath) -> None:
        message = (
            f"tasks of entries that wait for tasks of entries: together more than {_MOST_NEEDED:,} names"
        )
        hint = "put one task between them: it needs the former, and the latter need it"
        made = replace(self._from, marks=self._marks)
        raise SpecError([made.problem(at, Code.OUT_OF_RANGE, message, hint=hint)])

    def document(self) -> Document:
        """The document with the tasks, in which the name of a task that was made of entries means all of them."""
        for name, task in self._tasks.items():
            for key in _NAMING:
                if isinstance(task, dict) and key in task:
                    self._name_all(name, task, key)
        value: Any = self._from.value
        return replace(
            self._from, value={**value, "tasks": self._tasks}, marks=self._marks, entries=self._entries
        )

    def _name_all(self, name: str, task: dict[str, Any], key: str) -> None:
        written = task[key] if isinstance(task[key], list) else [task[key]]
        if not any(isinstance(needed, str) and needed in self._made for needed in written):
            return
        at: KeyPath = ("tasks", name, key)
        marks = [self._marks.get((*at, i)) or self._marks.get(at) for i in range(len(written))]
        sizes = [len(self._made.get(needed, "1")) for needed in written if isinstance(needed, str)]
        self._needed += sum(sizes)
        if self._needed > _MOST_NEEDED:
            self._too_many(at)
        named = [
            (made, mark)
            for needed, mark in zip(written, marks, strict=True)
            for made in (self._made.get(needed, [needed]) if isinstance(needed, str) else [needed])
        ]
        self._tasks[name] = {**task, key: [made for made, _ in named]}
        self._marks.update({(*at, i): mark for i, (_, mark) in enumerate(named) if mark is not None})

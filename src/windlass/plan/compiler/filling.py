"""The templates of a pipeline, evaluated as far as they can be before there is a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from msgspec.structs import replace

from windlass.plan import model
from windlass.plan.compiler.noting import Notes
from windlass.spec.ends import CopyEnd
from windlass.spec.files import PipelineFile
from windlass.spec.model import Model
from windlass.spec.pipeline import Task
from windlass.spec.yaml import KeyPath
from windlass.templates import Names, TemplateError, Uses, evaluate, is_template

__all__ = ["Filling"]

M = TypeVar("M", bound=Model)

_Places: TypeAlias = dict[str, KeyPath]
"""Where in the file a name was met first."""


@dataclass
class Filling:
    """Fills in the templates of one pipeline, and remembers which tasks each task names in them."""

    file: PipelineFile
    notes: Notes
    params: dict[str, model.Param]
    params_at_run: bool
    """Whether what needs a parameter stays a template."""

    named: dict[str, _Places] = field(default_factory=dict)
    """The tasks that the templates of each task name."""

    def __post_init__(self) -> None:
        tasks = self.file.spec.tasks
        services = frozenset(name for name, task in tasks.items() if task.service)
        self._names = Names(self.params, services, frozenset(tasks), self.params_at_run, self.notes.near)

    def mapping(self, mapping: M, path: KeyPath, uses: Uses) -> M:
        """A copy of the mapping in which every string is filled in; `uses` learns what the templates name."""
        changes: dict[str, object] = {}
        for name in mapping.model_fields_set:
            alias = type(mapping).model_fields[name].alias or name
            value = getattr(mapping, name)
            changed = self._value(value, (*path, alias), uses)
            if changed is not value:
                changes[name] = changed
        return mapping.model_copy(update=changes) if changes else mapping

    def _value(self, value: object, path: KeyPath, uses: Uses) -> object:
        if isinstance(value, str):
            return self.string(value, path, uses)
        if isinstance(value, Model):
            return self.mapping(value, path, uses)
        if isinstance(value, CopyEnd):
            return replace(value, options=self._value(value.options, path, uses))
        if isinstance(value, dict):
            return {k: self._value(v, (*path, k), uses) for k, v in value.items()}
        if isinstance(value, list):
            return [self._value(v, (*path, i), uses) for i, v in enumerate(value)]
        return value

    def string(self, text: str, path: KeyPath, uses: Uses) -> object:
        """One text filled in: a text again, but for the parameters of a trigger, which keep their types."""
        if not is_template(text):
            return text
        found = Uses()
        try:
            value = evaluate(text, self._names_at(path), found)
        except TemplateError as exc:
            for wrong in () if self._is_doubtful(text) else (exc, *exc.others):
                self.notes.problem(path, wrong.code, str(wrong), wrong.hint)
            return text.replace("{", "")  # nobody shall take it for a template again
        uses.services |= found.services
        uses.tasks |= found.tasks
        for name in found.tasks:
            self.named[str(path[1])].setdefault(name, path)
        keeps_type = len(path) > 3 and path[2:4] == ("trigger", "params")
        if keeps_type or isinstance(value, str):
            return value
        return "" if value is None else str(value)

    def files(self, task: Task, path: KeyPath, uses: Uses) -> dict[str, str]:
        """The texts of the files that the task names; SQL files are templates too."""
        if task.sql is None or task.sql.file is None:
            return self.file.included
        text = self.string(self.file.included[task.sql.file], (*path, "file"), uses)
        return {task.sql.file: str(text)}

    def _names_at(self, path: KeyPath) -> Names:
        """The names that a template there may use: what is made of entries takes one, and the path of their file does not."""
        has_entry = path[0] == "tasks" and path[2] != "for_each" and self.file.spec.tasks[str(path[1])].each
        return replace(self._names, each=True) if has_entry else self._names

    def _is_doubtful(self, text: str) -> bool:
        """Whether a template may only be wrong because a parameter is, whose problem is known."""
        if not self.file.problems or not isinstance(self.file.whole, dict):
            return False
        written = self.file.whole.get("params")
        if not isinstance(written, dict):
            return self.file.lacks("params") and "params" in text
        return any(self.file.lacks("params", name) and name in text for name in written)

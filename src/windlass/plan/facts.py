"""The facts of a task that follow from those of others: its assets, and the paths that its templates name.

They are worked out once, when a pipeline is compiled; runner, loader and targets read them from the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from windlass.plan.model import Task
from windlass.templates import pattern, tasks_in
from windlass.templates.budget import OF_A_PIPELINE, within_budget

__all__ = ["with_facts"]


def with_facts(
    tasks: Iterable[Task], named: Mapping[str, Collection[str]], params: Mapping[str, object]
) -> tuple[Task, ...]:
    """The tasks with all of their assets, and with the paths of the tasks that their templates have `named`.

    The assets are those that were written down, and those that the actions name. Each task comes after all
    that it needs, so what its templates may name is known.
    """
    outputs = _Outputs(params)
    with within_budget(OF_A_PIPELINE):
        return tuple(_with_facts(task, named[task.name], outputs) for task in tasks)


def _with_facts(task: Task, named: Collection[str], outputs: _Outputs) -> Task:
    inlets = [pattern(name, outputs.known) for name in (*task.action.reads(), *task.inlets)]
    outlets = [pattern(name, outputs.known) for name in (*task.action.writes(), *task.outlets)]
    paths = outputs.paths(named)
    outputs.add(task)
    return replace(
        task, inlets=tuple(dict.fromkeys(inlets)), outlets=tuple(dict.fromkeys(outlets)), paths=paths
    )


class _Outputs:
    """The files that tasks write, each added after those that its path is made of."""

    def __init__(self, params: Mapping[str, object]) -> None:
        self._patterns: dict[str, dict[str, str]] = {}
        self.known = {"tasks": self._patterns, "params": params}
        """What the names of assets may be made of; the parameters are those that a run has by default."""

        self._paths: dict[str, dict[str, str]] = {}

    def add(self, task: Task) -> None:
        if task.output is not None:
            self._patterns[task.name] = {"path": pattern(task.output, self.known)}
            self._paths[task.name] = {**self.paths(tasks_in(task.output)), task.name: task.output}

    def paths(self, tasks: Iterable[str]) -> dict[str, str]:
        """The outputs of these tasks, each after those that it is made of."""
        return {name: path for task in sorted(tasks) for name, path in self._paths.get(task, {}).items()}

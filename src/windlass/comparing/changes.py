"""Plans side by side: what a pipeline says now, and did not say before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from windlass.plan.model import Plan, Task

__all__ = ["MISSING", "Change", "PipelineChanges", "compared", "outlets"]

MISSING = object()
"""Stands for what is not there: `null` is a value."""

_DERIVED = ("version", "project", "pipeline", "name", "inlets", "outlets", "paths", "unit", "connections")
"""What follows from the rest, or is told apart."""


@dataclass(frozen=True)
class Change:
    """One value that differs. `path` leads to it from the plan of its pipeline, tasks by their name."""

    path: tuple[str, ...]
    before: Any
    now: Any


@dataclass(frozen=True)
class PipelineChanges:
    """What has become of a pipeline."""

    pipeline: str
    status: Literal["added", "removed", "changed"]
    changes: tuple[Change, ...] = ()
    """Of one that was there, and is."""


def compared(before: Mapping[str, Plan], now: Mapping[str, Plan]) -> list[PipelineChanges]:
    """The pipelines that differ, by name."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            found.append(PipelineChanges(name, "added"))
        elif name not in now:
            found.append(PipelineChanges(name, "removed"))
        elif changes := tuple(_changes(_told(before[name]), _told(now[name]))):
            found.append(PipelineChanges(name, "changed", changes))
    return found


def outlets(plans: Mapping[str, Plan]) -> dict[str, list[str]]:
    """The tables and files that pipelines write, each with the tasks that do."""
    found: dict[str, list[str]] = {}
    for name, plan in sorted(plans.items()):
        for task in plan.tasks:
            for outlet in task.outlets:
                found.setdefault(outlet, []).append(f"{name}.{task.name}")
    return found


def _told(plan: Plan) -> dict[str, Any]:
    """What was written, with everything that goes without saying: what a task does under its kind."""
    told = _without_derived(msgspec.to_builtins(plan))
    return {**told, "tasks": {task.name: _told_of_task(task) for task in plan.tasks}}


def _told_of_task(task: Task) -> dict[str, Any]:
    told = _without_derived(msgspec.to_builtins(task))
    does = {**_unit(task), **_without_derived(told.pop("action"))}
    return {**told, does.pop("kind"): does}


def _unit(task: Task) -> dict[str, Any]:
    """How it is started; what starts a task of windlass' own follows from its name."""
    if task.unit is None:
        return {}
    unit: dict[str, Any] = msgspec.to_builtins(task.unit)
    derived = ("own", "digest", "command") if task.unit.own else ("own", "digest")
    return {key: value for key, value in unit.items() if key not in derived}


def _without_derived(built: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in built.items() if key not in _DERIVED}


def _changes(before: Any, now: Any, path: tuple[str, ...] = ()) -> Iterator[Change]:
    """A task that is only on one side is one change, as is any value that is not a mapping on both."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*before, *now)):
            yield from _changes(before.get(key, MISSING), now.get(key, MISSING), (*path, str(key)))
    elif before != now:
        yield Change(path, before, now)

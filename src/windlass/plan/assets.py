"""The assets that tasks read and write: what lets one pipeline be scheduled by the data of another."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from windlass.plan.model import Action, Check, Copy, Destination, Download, Source, Task
from windlass.plan.templates import pattern

__all__ = ["with_assets"]


def with_assets(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """The tasks with all of their assets: those that were written down, and those that the actions name.

    Each task comes after all that it needs, so the paths that its templates may name are known.
    """
    paths: dict[str, dict[str, str]] = {}
    found: list[Task] = []
    for task in tasks:
        known = {"tasks": paths}
        reads, writes = _read(task.action), _written(task.action)
        inlets = [pattern(name, known) for name in (*reads, *task.inlets)]
        outlets = [pattern(name, known) for name in (*writes, *task.outlets)]
        if _writes_file(task.action):
            paths[task.name] = {"path": outlets[0]}
        found.append(
            replace(task, inlets=tuple(dict.fromkeys(inlets)), outlets=tuple(dict.fromkeys(outlets)))
        )
    return tuple(found)


def _read(action: Action) -> list[str]:
    match action:
        case Copy():
            return _asset(action.source)
        case Check():
            return _asset(action)
        case _:
            return []


def _written(action: Action) -> list[str]:
    match action:
        case Copy():
            return _asset(action.destination)
        case Download():
            return [action.to]
        case _:
            return []


def _writes_file(action: Action) -> bool:
    return isinstance(action, Download) or (isinstance(action, Copy) and action.destination.path is not None)


def _asset(end: Source | Destination | Check) -> list[str]:
    """The table or path; a query is no asset."""
    if end.path is not None:
        return [end.path]
    return [f"{end.connection}.{end.table}"] if end.table is not None else []

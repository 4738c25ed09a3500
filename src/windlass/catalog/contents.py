"""What a page tells of a pipeline, from its plan and those of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from windlass.catalog.needs import Finder, Need
from windlass.catalog.rules import rules_of
from windlass.plan.model import (
    Action,
    Check,
    Copy,
    Destination,
    Download,
    Notify,
    Plan,
    RunCommand,
    Service,
    Source,
    Sql,
    Subject,
    Task,
    Trigger,
)
from windlass.plan.schedule import is_regular
from windlass.plan.ticks import Ticks, zone_of

__all__ = ["Asset", "Contents", "TaskContents", "contents_of"]

_NEXT = 3


@dataclass(frozen=True)
class Asset:
    """A table or file that a pipeline reads or writes, and the pipelines at its other end."""

    name: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class TaskContents:
    """One task of a pipeline."""

    task: Task
    source: str
    """What it reads or does, in a few words."""

    destination: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """One pipeline."""

    plan: Plan
    tasks: tuple[TaskContents, ...]
    needs: tuple[Need, ...]
    reads: tuple[Asset, ...]
    writes: tuple[Asset, ...]
    triggers: tuple[str, ...]
    triggered_by: tuple[str, ...]
    next_runs: tuple[str, ...]
    """The next ticks of its schedule, in its time zone."""

    alerts: Mapping[str, tuple[str, ...]]
    """The connections that are told, by what of."""


def contents_of(plans: Mapping[str, Plan], project: Path, now: datetime) -> dict[str, Contents]:
    """The contents of all pages, by pipeline."""
    finder = Finder(project)
    readers, writers = _users(plans, "inlets"), _users(plans, "outlets")
    triggers = {name: tuple(_triggered(plan)) for name, plan in plans.items()}
    found = {}
    for name, plan in plans.items():
        written = _names(plan, "outlets")
        own = [asset for asset in _names(plan, "inlets") if asset not in written]
        found[name] = Contents(
            plan=plan,
            tasks=tuple(map(_task, plan.tasks)),
            needs=finder.needs(plan),
            reads=tuple(Asset(asset, _but(writers.get(asset, ()), name)) for asset in own),
            writes=tuple(Asset(asset, _but(readers.get(asset, ()), name)) for asset in written),
            triggers=triggers[name],
            triggered_by=tuple(other for other, started in triggers.items() if name in started),
            next_runs=tuple(_next_runs(plan, now)),
            alerts=_alerts(plan),
        )
    return found


# --- tasks ---


def _task(task: Task) -> TaskContents:
    source, destination = _moved(task)
    each = (f"one for each entry that {task.each.of} writes",) if task.each is not None else ()
    told = tuple(f"tells {', '.join(names)} {event}" for event, names in _alerts(task).items())
    return TaskContents(task, source, destination, each + rules_of(task.action) + told)


def _alerts(whose: Plan | Task) -> dict[str, tuple[str, ...]]:
    events = {
        "on failure": whose.on_failure,
        "on success": whose.on_success,
        "on recovery": whose.on_recovery,
    }
    return {event: names for event, names in events.items() if names}


def _moved(task: Task) -> tuple[str, str]:
    """From where to where, as far as a task moves something."""
    match task.action:
        case Copy() as copy:
            return _end(copy.source), f"{_end(copy.destination)} ({copy.destination.mode})"
        case Download() as download:
            return (
                download.url or f"{download.connection} {download.path or ''}".strip(),
                f"{download.into or ''} {download.to}".strip(),
            )
        case Sql() as sql:
            return sql.connection or "files", ""
        case Notify() as notify:
            return _looked_at(notify) if notify.has_rows else "", ", ".join(notify.to)
        case Check() as check:
            return _looked_at(check), ""
        case Trigger() as trigger:
            return trigger.pipeline, ""
        case RunCommand() | Service():
            return _command(task), ""
        case action:
            return _others(action)


def _end(end: Source | Destination) -> str:
    if end.path is not None:
        return end.path
    place = end.rows_in or end.options.get("path") or ("a query" if "query" in end.options else "")
    return f"{end.connection}: {place}" if place else f"{end.connection}"


def _looked_at(subject: Subject) -> str:
    if subject.source is not None:
        return _end(subject.source)
    if subject.path is not None:
        return subject.path
    return f"{subject.connection or 'files'}: {subject.table or 'a query'}"


def _command(task: Task) -> str:
    assert task.unit is not None
    where = task.unit.build or task.unit.container.image or ""
    command = " ".join(task.unit.command)
    return f"{where}: {command}" if where and command else where or command


def _others(action: Action) -> tuple[str, str]:
    """Of a kind that has no words of its own here."""
    return ", ".join(action.reads()), ", ".join(action.writes())


# --- pipelines ---


def _names(plan: Plan, side: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(asset for task in plan.tasks for asset in getattr(task, side)))


def _users(plans: Mapping[str, Plan], side: str) -> dict[str, tuple[str, ...]]:
    """The pipelines that have each asset at that side."""
    found: dict[str, list[str]] = {}
    for name, plan in plans.items():
        for asset in _names(plan, side):
            found.setdefault(asset, []).append(name)
    return {asset: tuple(names) for asset, names in found.items()}


def _but(names: Iterable[str], own: str) -> tuple[str, ...]:
    return tuple(name for name in names if name != own)


def _triggered(plan: Plan) -> dict[str, None]:
    return {task.action.pipeline: None for task in plan.tasks if isinstance(task.action, Trigger)}


def _next_runs(plan: Plan, now: datetime) -> Iterable[str]:
    if not is_regular(plan.schedule):
        return
    ticks, zone = Ticks(plan.schedule, plan.timezone), zone_of(plan.timezone)
    tick = max(now, plan.start.astimezone(UTC)) if plan.start else now
    for _ in range(_NEXT):
        tick = ticks.after(tick)
        yield tick.astimezone(zone).isoformat(timespec="seconds")

"""Which pipelines have not succeeded in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from windlass.alerts import Message
from windlass.alerts.delivery import deliver
from windlass.errors import Code, UsageError, did_you_mean
from windlass.plan.compiler import compile_project
from windlass.plan.model import Plan
from windlass.runner.alerting import Alerting
from windlass.runner.clock import Clock, SystemClock
from windlass.runner.history import AlertRecord, History, Run
from windlass.spec import load_project
from windlass.state_folder import StateFolder
from windlass.units import duration

__all__ = ["FreshnessResult", "freshness"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessResult:
    """How long ago a pipeline has succeeded."""

    pipeline: str
    state: Literal["fresh", "late", "never ran"]
    within: float
    """How many seconds may pass."""

    last_success: str | None
    """When its last successful run ended."""

    age: float | None
    """How many seconds ago that was; of one that never succeeded, since it was to begin."""

    alerts: tuple[AlertRecord, ...] = ()
    """Who was told that it is late, or was to be; nobody again until it has succeeded."""


def freshness(
    project: Path, pipelines: Sequence[str] = (), *, tell: bool = True, clock: Clock | None = None
) -> list[FreshnessResult]:
    """Look at the pipelines that say `freshness`, all or those that are named, and tell whom it concerns. Raises WindlassError."""
    plans = compile_project(load_project(project))
    for name in pipelines:
        if name not in plans:
            hint = did_you_mean(name, plans)
            raise UsageError(f"there is no pipeline {name!r}", hint=hint, code=Code.UNKNOWN_PIPELINE)
        if plans[name].freshness is None:
            raise UsageError(f"{name!r} says no `freshness`", hint="such as freshness: {within: 26h}")
    return list(_looked_at(project, plans.values(), pipelines, clock or SystemClock(), tell=tell))


def _looked_at(
    project: Path, plans: Iterable[Plan], pipelines: Sequence[str], clock: Clock, *, tell: bool
) -> Iterator[FreshnessResult]:
    history = History(StateFolder.of(project))
    for plan in plans:
        if plan.freshness is None or (pipelines and plan.pipeline not in pipelines):
            continue
        yield _result(plan, history, clock, _deliver_to(plan, project) if tell else None)


def _deliver_to(plan: Plan, project: Path) -> Callable[[str, Message], None]:
    return lambda name, message: deliver(message, name, plan.connections[name], project)


def _result(
    plan: Plan, history: History, clock: Clock, tell: Callable[[str, Message], None] | None
) -> FreshnessResult:
    last, within = history.last_success(plan.pipeline), plan.freshness or 0.0
    since = _since(plan, history, last)
    age = (clock.now() - since).total_seconds() if since is not None else None
    is_late = age is not None and age > within
    text = _told(last, age or 0.0, within)
    alerts = Alerting(plan, history, clock, tell).missed(last, text) if is_late and tell else []
    return FreshnessResult(
        pipeline=plan.pipeline,
        state="late" if is_late else "never ran" if age is None else "fresh",
        within=within,
        last_success=last.ended if last else None,
        age=age,
        alerts=tuple(alerts),
    )


def _since(plan: Plan, history: History, last: Run | None) -> datetime | None:
    """From when the time counts: the last success, else the first run, else the beginning of the schedule."""
    if last is not None and last.ended is not None:
        return datetime.fromisoformat(last.ended)
    if (first := history.first_run(plan.pipeline)) is not None:
        return datetime.fromisoformat(first.started)
    if plan.start is None:
        return None
    return plan.start if plan.start.tzinfo else plan.start.replace(tzinfo=UTC)


def _told(last: Run | None, age: float, within: float) -> str:
    wanted = f"it is to succeed every {duration(within)}"
    if last is None:
        return f"no run has succeeded so far; {wanted}"
    return f"its last success was {duration(age)} ago; {wanted}"

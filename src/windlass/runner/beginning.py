"""How a run begins: anew or resumed, for which dates, and with which of its tasks already done."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from datetime import datetime

from msgspec import Struct, field

from windlass import __version__
from windlass.plan.model import Plan
from windlass.plan.schedule import RunDates, run_dates
from windlass.runner.clock import timestamp
from windlass.runner.history import Run, TaskRun
from windlass.status import Status

__all__ = ["Beginning", "begin_again", "begin_anew"]


class Beginning(Struct, frozen=True):
    """A run that is about to begin."""

    run: Run
    dates: RunDates
    tasks: dict[str, TaskRun]
    """All of the plan's tasks, in its order."""

    done: frozenset[str]
    """The tasks that had succeeded before."""

    others: dict[str, TaskRun] = field(default_factory=dict)
    """The tasks that the run had, and the plan has not: those that were made of entries."""


def begin_anew(
    plan: Plan,
    chosen: Collection[str],
    now: datetime,
    logical_date: datetime | None,
    parent: str | None,
    run_key: str | None = None,
    run_id: str | None = None,
) -> Beginning:
    """A new run of the chosen tasks: the schedule's for a logical date, else one by hand now. Its loads are those of the
    `run_key`, if there is one."""
    dates = run_dates(plan.schedule, plan.timezone, logical_date, now)
    run_id = run_id or f"{plan.pipeline}-{now:%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
    logical = dates.logical_date.isoformat()
    run = Run(
        run_id=run_id,
        pipeline=plan.pipeline,
        run_key=run_key or (logical if dates.scheduled else run_id),
        logical_date=logical,
        interval_start=dates.interval_start.isoformat(),
        interval_end=dates.interval_end.isoformat(),
        scheduled=dates.scheduled,
        params=dict(plan.params),
        started=timestamp(now),
        parent=parent,
        version=__version__,
    )
    return Beginning(run, dates, _tasks(plan, run, chosen, {}), frozenset())


def begin_again(plan: Plan, chosen: Collection[str], earlier: Run, before: Iterable[TaskRun]) -> Beginning:
    """An earlier run, taken up again: what succeeded in it is left out. A service has to be started again."""
    dates = (earlier.logical_date, earlier.interval_start, earlier.interval_end)
    logical, start, end = map(datetime.fromisoformat, dates)
    known = {record.task: record for record in before}
    done = {n for n, record in known.items() if record.status == Status.SUCCESS and record.kind != "service"}
    earlier.status, earlier.ended, earlier.params = Status.RUNNING, None, dict(plan.params)
    tasks = _tasks(plan, earlier, {*chosen} - done, known)
    for name in done & tasks.keys():
        tasks[name].status = Status.SUCCESS
    return Beginning(
        earlier,
        RunDates(logical, start, end, earlier.scheduled),
        tasks,
        frozenset(done & tasks.keys()),
        {name: record for name, record in known.items() if name not in tasks},
    )


def _tasks(plan: Plan, run: Run, chosen: Collection[str], known: dict[str, TaskRun]) -> dict[str, TaskRun]:
    tasks = {}
    for task in plan.tasks:
        record = known.get(task.name) or TaskRun(run.run_id, task.name, task.kind)
        record.status = Status.PENDING if task.name in chosen else Status.SKIPPED
        tasks[task.name] = record
    return tasks

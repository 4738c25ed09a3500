"""The status board: a line a pipeline, from the history of its runs on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from windlass.plan.model import Plan
from windlass.plan.schedule import is_regular
from windlass.plan.ticks import Ticks
from windlass.runner.history import History, Run, Totals
from windlass.status import Status

__all__ = ["Bar", "Line", "board_of"]

_RUNS = 20
_PATIENCE = timedelta(hours=1)


class Bar(NamedTuple):
    """A run in the chart of the durations: how high, of 1, and what it says."""

    height: float
    run: Run


@dataclass(frozen=True)
class Line:
    """What has become of a pipeline lately."""

    runs: tuple[Run, ...]
    """The latest, newest first."""

    totals: Mapping[str, Totals]
    """What each of them moved, by its id."""

    last_success: str | None
    """When a run last ended well, however long ago."""

    is_late: bool
    """Whether a data interval of its schedule has ended some time ago, and no run has loaded it."""

    @property
    def last(self) -> Run | None:
        return self.runs[0] if self.runs else None

    @property
    def state(self) -> str:
        """That of the last run, or `never`."""
        return self.runs[0].status if self.runs else "never"

    @property
    def moved(self) -> Totals:
        """By the last run."""
        return self.totals.get(self.runs[0].run_id, Totals()) if self.runs else Totals()

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The durations of the runs that have ended, oldest first."""
        known = [(run, run.seconds) for run in reversed(self.runs) if run.seconds is not None]
        longest = max((seconds for _, seconds in known), default=0.0)
        return tuple(Bar(seconds / longest if longest else 0.0, run) for run, seconds in known)


def board_of(plans: Mapping[str, Plan], history: History, now: datetime) -> dict[str, Line]:
    """A line for each of the pipelines."""
    runs: dict[str, list[Run]] = {name: [] for name in plans}
    for run in history.latest(_RUNS):
        if run.pipeline in runs:
            runs[run.pipeline].append(run)
    totals, successes = history.totals(), history.last_successes()
    due = cache(lambda schedule, zone: _due(schedule, zone, now))
    lines = {}
    for name, plan in plans.items():
        ended, loaded = successes.get(name, (None, ""))
        found = runs[name]
        is_awaited = is_regular(plan.schedule) and any(run.scheduled for run in found)
        lines[name] = Line(
            runs=tuple(found),
            totals={run.run_id: totals[run.run_id] for run in found if run.run_id in totals},
            last_success=ended,
            is_late=is_awaited
            and found[0].status != Status.RUNNING
            and loaded < due(plan.schedule, plan.timezone),
        )
    return lines


def _due(schedule: str, zone: str, now: datetime) -> str:
    """Up to when the data should be loaded by now: a run has an hour, or as long as an interval if that is shorter."""
    ticks = Ticks(schedule, zone)
    last = ticks.upto(now)
    before = ticks.before(last)
    return (last if now - last >= min(_PATIENCE, last - before) else before).isoformat()

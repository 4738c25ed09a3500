"""The Gantt chart of a run: a row a task, a bar an attempt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from windlass.report.facts import AttemptFacts, RunFacts, TaskFacts
from windlass.report.timeline import Break, Scale, Tick
from windlass.units import duration

__all__ = ["Bar", "Chart", "ChartRow", "chart"]

_LABEL = 24.0  # how much of the width a label may need


class Bar(Struct, frozen=True):
    """An attempt; places are percentages of the chart's width."""

    left: float
    width: float
    status: str
    title: str


class ChartRow(Struct, frozen=True):
    """A task: its attempts, the waits between them, and how it ended in words."""

    task: TaskFacts
    bars: tuple[Bar, ...]
    waits: tuple[tuple[float, float], ...]
    label: str
    label_at: float
    anchor: str
    """Where the label stands: `start` (behind the last bar), `end` (before a bar) or `inside`."""


class Chart(Struct, frozen=True):
    """What the template draws."""

    rows: tuple[ChartRow, ...]
    ticks: tuple[Tick, ...]
    breaks: tuple[Break, ...]
    not_started: int


def chart(run: RunFacts) -> Chart:
    """The chart of the tasks that were tried, in the order in which they began."""
    tried = sorted((task for task in run.tasks if task.attempts), key=lambda task: task.attempts[0].span)
    scale = Scale([attempt.span for task in tried for attempt in task.attempts])
    return Chart(
        rows=tuple(_row(task, scale) for task in tried),
        ticks=tuple(scale.ticks()),
        breaks=tuple(scale.breaks()),
        not_started=len(run.tasks) - len(tried),
    )


def _row(task: TaskFacts, scale: Scale) -> ChartRow:
    bars = tuple(_bars(task, scale))
    first, last = bars[0], bars[-1]
    right = last.left + last.width
    waits = tuple((a.left + a.width, b.left) for a, b in pairwise(bars) if b.left > a.left + a.width)
    if right <= 100 - _LABEL:
        at, anchor = right, "start"
    elif first.left >= _LABEL:
        at, anchor = first.left, "end"
    elif last.width >= _LABEL:
        at, anchor = last.left, "inside"
    else:  # over the waits between the attempts
        at, anchor = last.left, "end"
    return ChartRow(task, bars, waits, _label(task), round(at, 3), anchor)


def _bars(task: TaskFacts, scale: Scale) -> Iterator[Bar]:
    for attempt in task.attempts:
        left, width = scale.bar(attempt.span)
        yield Bar(left, width, attempt.record.status, _title(task, attempt))


def _label(task: TaskFacts) -> str:
    count = len(task.attempts)
    last = duration(task.attempts[-1].seconds)
    return f"{last}, attempt {count}" if count > 1 else last


def _title(task: TaskFacts, attempt: AttemptFacts) -> str:
    record = attempt.record
    lines = [
        f"{task.record.task}, attempt {record.number}: {record.status.replace('_', ' ')}",
        f"{duration(attempt.seconds)}, from {_clock(record.started)} to {_clock(record.ended)}",
    ]
    if record.error:
        lines.append(record.error[:200])
    return "\n".join(lines)


def _clock(moment: str | None) -> str:
    return moment[11:23] if moment else "now"

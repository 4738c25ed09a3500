"""Times become places in the chart of a run."""

from __future__ import annotations

import pytest

from windlass.plan.model import Plan
from windlass.report.chart import ChartRow, chart
from windlass.report.facts import AttemptFacts, RunFacts, TaskFacts
from windlass.report.timeline import Scale, Span
from windlass.runner.history import Attempt, Run, TaskRun
from windlass.status import Status


def row_of(*spans: tuple[float, float], total: float) -> ChartRow:
    """The row of a task with these attempts, in a run of that many seconds."""

    def task(name: str, *tried: tuple[float, float]) -> TaskFacts:
        attempts = tuple(
            AttemptFacts(Attempt("r", name, number, Status.SUCCESS), Span(*span), None)
            for number, span in enumerate(tried, 1)
        )
        return TaskFacts(name, TaskRun("r", name, "run"), None, attempts, (), None, None, None)

    tasks = (task("whole", (0.0, total)), task("asked", *spans))
    run = RunFacts("r1", Run("r", "p"), Plan(project="p", pipeline="p"), tasks, {}, (), total, (), 0)
    return next(row for row in chart(run).rows if row.task.anchor == "asked")


def test_a_bar_stands_where_its_time_is() -> None:
    scale = Scale([Span(0, 5), Span(5, 10)])
    assert scale.bar(Span(0, 5)) == (0, 50)
    assert scale.bar(Span(5, 10)) == (50, 50)


def test_the_shortest_attempt_can_be_seen_and_stays_within_the_chart() -> None:
    left, width = Scale([Span(0, 3600)]).bar(Span(3600, 3600))
    assert width > 0
    assert left + width <= 100


def test_a_long_wait_is_drawn_short_and_says_how_long_it_was() -> None:
    scale = Scale([Span(0, 1), Span(3601, 3602)])
    [wait] = scale.breaks()
    assert wait.label == "1 h 0 min"
    assert wait.width < 10
    assert scale.bar(Span(0, 1))[1] > 40
    assert scale.bar(Span(3601, 3602))[1] > 40


def test_a_short_wait_is_drawn_as_long_as_it_was() -> None:
    scale = Scale([Span(0, 4), Span(5, 10)])
    assert scale.breaks() == []
    assert scale.bar(Span(5, 10)) == (50, 50)


@pytest.mark.parametrize("seconds", [0.0, 0.004, 0.9, 59, 61, 3599, 90_000, 40 * 86400])
def test_the_axis_has_a_few_round_marks_that_rise(seconds: float) -> None:
    ticks = Scale([Span(0, seconds)]).ticks()
    places = [tick.left for tick in ticks]
    assert ticks[0] == (0, "0")
    assert len(ticks) <= 10
    assert places == sorted(set(places))
    assert all(0 <= place <= 100 for place in places)


def test_marks_say_minutes_and_hours() -> None:
    assert [tick.label for tick in Scale([Span(0, 300)]).ticks()][1:3] == ["1 min", "2 min"]
    assert [tick.label for tick in Scale([Span(0, 9000)]).ticks()][1:3] == ["30 min", "1 h"]


def test_no_attempts_at_all_are_a_chart_too() -> None:
    assert Scale([]).ticks()[0].label == "0"


@pytest.mark.parametrize(
    ("spans", "anchor", "at"),
    [
        pytest.param([(1, 2)], "start", 20, id="room behind it"),
        pytest.param([(6, 10)], "end", 60, id="room only before it"),
        pytest.param([(0, 10)], "inside", 0, id="as wide as the chart"),
        pytest.param([(1, 2), (8, 9)], "end", 80, id="a retry, late and short"),
    ],
)
def test_the_label_stands_where_it_can_be_read(
    spans: list[tuple[float, float]], anchor: str, at: float
) -> None:
    row = row_of(*spans, total=10)
    assert (row.anchor, row.label_at) == (anchor, at)

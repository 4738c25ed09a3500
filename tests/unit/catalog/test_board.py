"""When a pipeline is late, and the chart of its durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from windlass.catalog.board import Line, board_of
from windlass.plan.model import Plan
from windlass.runner.history import History, Run
from windlass.state_folder import StateFolder
from windlass.status import Status

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def line(folder: Path, schedule: str, until: datetime, now: datetime, *, scheduled: bool = True) -> Line:
    """The line of a pipeline whose only run has loaded all up to then."""
    history = History(StateFolder.of(folder))
    moment = until.isoformat()
    run = Run(
        "r", "p", Status.SUCCESS, interval_end=moment, scheduled=scheduled, started=moment, ended=moment
    )
    history.save(run)
    return board_of({"p": Plan(project="x", pipeline="p", schedule=schedule)}, history, now)["p"]


@pytest.mark.parametrize(
    ("schedule", "loaded", "now", "late"),
    [
        ("0 12 * * *", NOON, NOON + timedelta(hours=23), False),
        ("0 12 * * *", NOON - timedelta(days=1), NOON + timedelta(minutes=59), False),
        ("0 12 * * *", NOON - timedelta(days=1), NOON + timedelta(minutes=60), True),
        ("*/10 * * * *", NOON - timedelta(minutes=10), NOON + timedelta(minutes=9), False),
        ("*/10 * * * *", NOON - timedelta(minutes=10), NOON + timedelta(minutes=10), True),
        ("none", NOON - timedelta(days=99), NOON, False),
        ("@once", NOON - timedelta(days=99), NOON, False),
    ],
)
def test_late_is_what_has_an_hour_or_an_interval(
    tmp_path: Path, schedule: str, loaded: datetime, now: datetime, *, late: bool
) -> None:
    assert line(tmp_path, schedule, loaded, now).is_late is late


def test_nothing_is_late_where_no_schedule_ever_ran_it(tmp_path: Path) -> None:
    assert not line(tmp_path, "@hourly", NOON, NOON + timedelta(days=9), scheduled=False).is_late


def test_the_latest_runs_are_those_of_each_pipeline(tmp_path: Path) -> None:
    history = History(StateFolder.of(tmp_path))
    for name in ("a", "b"):
        for number in range(25):
            began = NOON + timedelta(minutes=number)
            ended = began + timedelta(seconds=number)
            run = Run(f"{name}{number}", name, Status.SUCCESS)
            run.started, run.ended = began.isoformat(), ended.isoformat()
            history.save(run)
    plans = {name: Plan(project="x", pipeline=name) for name in ("a", "b", "c")}
    board = board_of(plans, history, NOON)
    assert [run.run_id for run in board["b"].runs] == [f"b{number}" for number in range(24, 4, -1)]
    assert [(bar.run.run_id, bar.height) for bar in board["a"].bars][-1] == ("a24", 1.0)
    assert (board["c"].state, board["c"].bars) == ("never", ())

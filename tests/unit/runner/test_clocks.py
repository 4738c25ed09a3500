"""What history says of a machine whose clock was set back."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.runner.history import History, Run
from windlass.runner.pruning import prune
from windlass.state_folder import StateFolder
from windlass.status import Status


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Three runs, between the second and the third of which the clock was set back by a year."""
    history = History(StateFolder.of(tmp_path))
    for run_id, started, ended in (
        ("first", "2031-05-01T10:00:00+00:00", "2031-05-01T10:01:00+00:00"),
        ("second", "2031-05-01T11:00:00+00:00", "2030-05-01T11:01:00+00:00"),
        ("third", "2030-05-01T11:30:00+00:00", "2030-05-01T11:31:00+00:00"),
    ):
        history.save(Run(run_id, "p", Status.SUCCESS, started=started, ended=ended))
    return history


def test_the_latest_run_is_the_one_that_began_last(history: History) -> None:
    assert [run.run_id for run in history.runs()] == ["third", "second", "first"]
    assert [run.run_id for run in history.latest(2)] == ["third", "second"]


def test_the_latest_runs_are_kept(history: History, tmp_path: Path) -> None:
    assert prune(StateFolder.of(tmp_path), history, keep=1).removed == []  # none is old
    for run in history.runs():
        run.started = run.started.replace("203", "200")
        history.save(run)
    assert prune(StateFolder.of(tmp_path), history, keep=1).removed == ["second", "first"]


def test_no_run_takes_less_than_no_time(history: History) -> None:
    assert [run.seconds for run in history.runs()] == [60, 0, 60]

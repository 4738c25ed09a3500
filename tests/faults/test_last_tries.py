"""kill -9 of a task that must not be tried again: the run says success if, and only if, its load is committed.

Nobody is left who could tell, so the runner has the ledger asked, and what it answers must be about this very
run, and not about an earlier one of the same day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product, starmap
from pathlib import Path

import pytest

from tests.faults.checker import Reader
from tests.faults.outcomes import Outcomes
from tests.faults.scene import Mode, Scene, Servers, changes_once
from tests.faults.test_failpoints import MODES, PAIRS, played
from tests.faults.test_failpoints import Case as Kill

_ONCE = {"retries": 0}


@dataclass(frozen=True)
class Case:
    """Where the task dies."""

    kill: Kill

    def __str__(self) -> str:
        return str(self.kill)


_MOMENTS = ("before-commit", "mid-rename", "after-commit")
KILLS = [kill for kill in starmap(Kill, product(_MOMENTS, PAIRS, MODES)) if kill.senseless is None]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [Case(kill) for kill in played(KILLS, metafunc.config)], ids=str)


def test_the_last_try_says_success_if_and_only_if_it_committed(case: Case, outcomes: Outcomes) -> None:
    outcomes.check(case)


def play(case: Case, folder: Path, servers: Servers) -> None:
    kill = case.kill
    scene = Scene(folder, kill.pair, kill.mode, servers, options=_ONCE)
    end = scene.seed()
    before, stamp = end.key(), end.stamp()
    with Reader(end) as reader:
        done = scene.call(*scene.run(1), failpoint=f"{kill.failpoint}:kill")
        assert (end.stamp() != stamp) == (end.key() != before) == kill.is_committed
        assert (done.code == 0) == kill.is_committed, str(done)
        assert done.task["attempts"] == 1
        if kill.is_committed:
            assert (done.task["error"], done.task["path"]) == (None, "already-loaded"), str(done)
            scene.check(end)
        else:
            assert "killed by SIGKILL; the ledger, when asked: nothing was committed" in done.task["error"]
        again = scene.call(*scene.resume())
        assert again.code == 0, str(again)
        scene.check(end)
    changes_once(reader, before, end.key())
    scene.remove()


@pytest.mark.one_of(2)
@pytest.mark.parametrize("mode", ["replace", "merge"])
@pytest.mark.parametrize("target", ["pg", "sqlite", "parquet"])
def test_the_entry_of_an_earlier_run_of_the_day_is_no_success(
    target: str, mode: Mode, scene: Callable[..., Scene]
) -> None:
    play = scene("pg", target, mode, options=_ONCE)
    end = play.seed()
    assert play.call(*play.run(1)).code == 0
    again = play.call(*play.run(1), failpoint="before-commit:kill")
    assert again.code == 3, str(again)
    assert "nothing was committed" in again.task["error"]
    assert end.rows() == play.expected


def test_append_finds_its_rows_whoever_of_the_day_loaded_them(scene: Callable[..., Scene]) -> None:
    play = scene("pg", "pg", "append", options=_ONCE)
    end = play.seed()
    assert play.call(*play.run(1)).code == 0
    again = play.call(*play.run(1), failpoint="during-recovery:kill")
    assert (again.code, again.task["path"]) == (0, "already-loaded"), str(again)
    play.check(end)


def test_a_task_that_times_out_after_its_commit_has_succeeded(scene: Callable[..., Scene]) -> None:
    play = scene("pg", "pg", "append", options={**_ONCE, "timeout": "15s"})
    end = play.seed()
    done = play.call(*play.run(1), failpoint="after-commit:sleep=60")
    assert (done.code, done.task["path"]) == (0, "already-loaded"), str(done)
    play.check(end)

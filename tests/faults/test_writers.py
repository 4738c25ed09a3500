"""Several writers to one destination: the same load started many times at once, and a writer who wakes up late."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.checker import Reader
from tests.faults.scene import NEW, Mode, Scene, changes_once, finished, kill


@pytest.mark.one_of(3)
@pytest.mark.parametrize(
    ("source", "target", "mode", "count", "seeded"),
    [
        ("pg", "pg", "append", 10, True),
        ("pg", "pg", "append", 3, False),
        ("pg", "pg", "replace", 4, True),
        ("csv", "pg", "merge", 3, True),
        ("pg", "parquet", "append", 2, False),
        ("csv", "parquet", "replace", 4, True),
        ("csv", "folder", "append", 4, True),
        ("csv", "folder", "append", 2, False),
        ("pg", "sqlite", "append", 4, True),
    ],
)
def test_the_same_load_started_several_times_at_once_happens_once(
    scene: Callable[..., Scene], source: str, target: str, mode: Mode, count: int, seeded: bool
) -> None:
    play = scene(source, target, mode)
    end = play.seed() if seeded else play.end()
    before = end.key()
    with Reader(end) as reader:
        started = [play.start(*play.execute(1)) for _ in range(count)]
        ended = [finished(process) for process in started]
        codes = Counter(done.code for done in ended)
        assert set(codes) <= {0, 1, 3}, str(codes)
        assert all("defect" not in done.stdout + done.stderr for done in ended), str(ended)
        if codes[0]:
            assert end.rows() == play.expected
        again = play.call(*play.execute(1))
        assert again.code == 0, str(again)
        play.check(end)
    assert codes[0], "\n".join(map(str, ended))
    changes_once(reader, before, end.key())


def test_a_run_started_several_times_at_once_is_only_one(scene: Callable[..., Scene]) -> None:
    play = scene("csv", "parquet", "append")
    end = play.seed()
    ended = [finished(process) for process in [play.start(*play.run(1)) for _ in range(4)]]
    assert Counter(done.code for done in ended) == {0: 1, 3: 3}, "\n".join(map(str, ended))
    play.check(end)


@pytest.mark.one_of(3)
@pytest.mark.parametrize(
    ("source", "target", "failpoint"),
    [
        ("pg", "pg", "mid-copy"),
        ("csv", "pg", "mid-copy"),
        ("pg", "pg", "before-commit"),
        ("csv", "parquet", "mid-copy"),
        ("pg", "folder", "mid-copy"),
        ("pg", "sqlite", "mid-copy"),
    ],
)
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_paused_writer_that_wakes_after_another_start_of_its_load_is_fenced(
    scene: Callable[..., Scene], source: str, target: str, failpoint: str, mode: Mode
) -> None:
    play = scene(source, target, mode)
    end = play.seed()
    before = end.key()
    with Reader(end) as reader:
        paused = play.start(*play.execute(1), failpoint=f"{failpoint}:stop")
        task = play.wait_for_stopped_task(paused)
        later = play.call(*play.execute(1))
        assert later.code == 0, str(later)
        kill(task, signal.SIGCONT)
        woken = finished(paused)
    assert woken.code == 1, str(woken)
    assert "a later start of this load took" in woken.stdout, str(woken)
    play.check(end)
    changes_once(reader, before, end.key())


@pytest.mark.parametrize("target", ["parquet", "sqlite"])
def test_a_writer_paused_in_the_middle_of_its_commit_is_waited_for(
    scene: Callable[..., Scene], target: str
) -> None:
    play = scene("pg", target, "append")
    end = play.seed()
    paused = play.start(*play.execute(1), failpoint="before-commit:stop")
    task = play.wait_for_stopped_task(paused)
    waiting = play.start(*play.execute(1))
    kill(task, signal.SIGCONT)
    assert finished(paused).code == 0
    done = finished(waiting)
    assert (done.code, '"already-loaded"' in done.stdout) == (0, True), str(done)
    play.check(end)


@pytest.mark.one_of(4)
@pytest.mark.parametrize("target", ["pg", "parquet", "folder", "sqlite"])
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_runs_of_a_backfill_at_once_are_all_loaded(
    scene: Callable[..., Scene], target: str, mode: Mode
) -> None:
    play = scene("csv", target, mode)
    end = play.seed()
    ended = [finished(process) for process in [play.start(*play.execute(day)) for day in (1, 2, 3, 4)]]
    assert [done.code for done in ended] == [0] * 4, "\n".join(map(str, ended))
    if mode == "append":
        play.new = NEW * 4
    play.check(end, loads=4)

"""kill -9 at every named place of a copy, for every kind of source, destination and mode.

In each case everything dies at once, the run included, and somebody takes the run up again; then only the
task's process dies, and the runner tries again. At last a scheduler starts the same task once more, which
changes nothing.

The cases run a few at a time in the background; each test waits for its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.faults.checker import Reader
from tests.faults.outcomes import Outcomes
from tests.faults.scene import Done, Mode, Pair, Scene, Servers, changes_once, ended

PAIRS = [
    Pair("pg", "pg"),
    Pair("csv", "pg"),
    Pair("pg", "parquet"),
    Pair("csv", "parquet"),
    Pair("pg", "sqlite"),
    Pair("pg", "folder"),
]
MODES: list[Mode] = ["append", "replace", "merge"]

# Every failpoint, and whether the load is committed once it is reached
FAILPOINTS = {
    "before-staging": False,
    "mid-copy": False,
    "before-ledger": False,
    "after-ledger": False,
    "before-commit": False,
    "mid-rename": None,  # files: the rename is the commit; Postgres: a rename within the transaction
    "after-commit": True,
    "during-recovery": False,
}
ELSEWHERE = {
    "mid-exchange": "tests/connectors/test_places.py",  # this system exchanges folders at once
    "mid-apply": "tests/faults/test_mongodb.py",  # a load that counts before it is there
}
"""Failpoints that no case here reaches, and the tests that do."""


@dataclass(frozen=True)
class Case:
    """One combination."""

    failpoint: str
    pair: Pair
    mode: Mode

    def __str__(self) -> str:
        return f"{self.failpoint}-{self.pair}-{self.mode}"

    @property
    def senseless(self) -> str | None:
        """Why there is no such case, or None."""
        target = self.pair.target
        if target == "folder" and self.mode == "merge":
            return "windlass refuses to merge into a folder"
        if self.failpoint == "mid-rename":
            if target == "sqlite":
                return "nothing is renamed: SQLite commits by its journal"
            if target == "pg" and self.mode != "replace":
                return "only `replace` renames tables; the other modes write into the table itself"
        return None

    @property
    def is_committed(self) -> bool:
        committed = FAILPOINTS[self.failpoint]
        return self.pair.target != "pg" if committed is None else committed


ALL = [Case(*combination) for combination in product(FAILPOINTS, PAIRS, MODES)]
CASES = [case for case in ALL if case.senseless is None]


def played(cases: Sequence[Case], config: pytest.Config) -> list[Case]:
    """Every failpoint with every destination, each from one of the sources in one of the modes: the seed decides."""
    if config.getoption("every"):
        return list(cases)
    kinds: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        kinds.setdefault((case.failpoint, case.pair.target), []).append(case)
    seed = int(config.getoption("seed"))
    return [alike[(seed + number) % len(alike)] for number, alike in enumerate(kinds.values())]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", played(CASES, metafunc.config), ids=str)


@pytest.mark.one_of(2)
def test_a_load_happens_exactly_once_however_it_is_killed(case: Case, outcomes: Outcomes) -> None:
    outcomes.check(case)


def test_every_failpoint_of_the_code_is_tested() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    assert set(re.findall(r'failpoints\.reach\("([a-z-]+)"\)', source)) == {*FAILPOINTS, *ELSEWHERE}
    for name, tests in ELSEWHERE.items():
        assert f'"{name}"' in (ROOT / tests).read_text(encoding="utf-8")


def test_no_combination_is_left_out_without_a_reason() -> None:
    left_out = {(str(case.pair), case.mode, case.failpoint, case.senseless) for case in ALL if case.senseless}
    assert len(CASES) + len(left_out) == len(FAILPOINTS) * len(PAIRS) * len(MODES)
    assert {target for pair, _, _, _ in left_out for target in [pair.split("-")[1]]} == {
        "folder",
        "sqlite",
        "pg",
    }


def play(case: Case, folder: Path, servers: Servers) -> None:
    """Both ways to die; one after the other in one load, as long as that is not committed."""
    scene = Scene(folder, case.pair, case.mode, servers)
    end = scene.seed()
    before = end.key()
    with Reader(end) as reader:
        deaths = _everything_dies(case, scene)
        assert (end.key() != before) == case.is_committed
        if case.is_committed:
            done = scene.call(*scene.resume())
        else:
            done = _task_dies(case, scene, scene.resume(), deaths + 1)
        assert done.code == 0, str(done)
        scene.check(end)
        again = scene.call(*scene.execute(1))
        assert again.code == 0, str(again)
        scene.check(end)
    assert ('"already-loaded"' in again.stdout) == (case.mode == "append")
    changes_once(reader, before, end.key())
    if case.is_committed:
        _task_dies_after_the_commit(case, scene)
    scene.remove()


def _everything_dies(case: Case, scene: Scene) -> int:
    """The run, what watches over its task, and the task. Returns how often."""
    if case.failpoint != "during-recovery":
        _die_at(case.failpoint, scene, scene.run(1))
        return 1
    _die_at("before-commit", scene, scene.run(1))
    _die_at("during-recovery", scene, scene.resume())
    return 2


def _die_at(failpoint: str, scene: Scene, command: list[str]) -> None:
    running = scene.begin(*command, failpoint=f"{failpoint}:stop")
    scene.wait_for_stopped_task(running)
    scene.kill_everything(running.pid)
    assert ended(running).code != 0


def _task_dies(case: Case, scene: Scene, command: list[str], attempt: int) -> Done:
    done = scene.call(*command, failpoint=f"{case.failpoint}:kill@{attempt}")
    assert done.task["attempts"] == attempt + 1, f"the failpoint was not reached: {done}"
    return done


def _task_dies_after_the_commit(case: Case, scene: Scene) -> None:
    end = scene.seed("second")
    before = end.key()
    with Reader(end) as reader:
        done = _task_dies(case, scene, scene.run(2, "second"), 1)
    assert done.code == 0, str(done)
    assert (done.task["path"] == "already-loaded") == (case.mode == "append")
    scene.check(end)
    changes_once(reader, before, end.key())

"""Two to six different loads at once into one destination, each killed, paused, cut off or left in peace.

Everything that a case does comes from its seed, but for how fast the machine is. Once all have been started to their
end, the rows of each are there exactly once, as the order of their commits has it. `make faults N=1000` plays many;
with `SEED=123 N=1`, one again.
"""

from __future__ import annotations

import random
import shutil
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.crowd import Crowd, database_on
from tests.faults.outcomes import Outcomes
from tests.faults.scene import Servers, new_database

_SHARE = 3  # a case takes as long as so many of a single load

_lock = threading.Lock()


@dataclass(frozen=True)
class Case:
    """One seed."""

    seed: int

    def __str__(self) -> str:
        return f"seed-{self.seed}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        first, count = metafunc.config.getoption("seed"), metafunc.config.getoption("faults")
        cases = [Case(seed) for seed in range(first, first + max(1, count // _SHARE))]
        metafunc.parametrize("case", cases, ids=str)


def test_each_of_several_loads_at_once_happens_exactly_once(case: Case, outcomes: Outcomes) -> None:
    outcomes.check(case)


def play(case: Case, folder: Path, servers: Servers) -> None:
    """One crowd."""
    dice = random.Random(case.seed)
    with _lock:
        database = database_on(servers.target, new_database)
    crowd = Crowd(folder, dice, database, servers.warm, case.seed)
    crowd.play()
    crowd.finish()
    crowd.check()
    _note(folder.parent, crowd)
    shutil.rmtree(folder)


def _note(folder: Path, crowd: Crowd) -> None:
    """A line for each case, for whoever wants to know what was played."""
    codes = Counter(code for load in crowd.loads for code in load.codes)
    kinds = Counter(load.kind for load in crowd.loads)
    with (folder / "crowds").open("a") as notes:
        notes.write(f"{crowd.end} {dict(kinds)} {dict(crowd.happened)} codes {dict(codes)}\n")

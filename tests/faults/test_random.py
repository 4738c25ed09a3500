"""kill -9 at a uniformly random moment of a run.

Everything that a case does comes from its seed: what is copied where, who starts it, who is killed, and at which
part of the time that the command takes. `make faults N=3600` plays many. A case of the seed 123 is played
again with: pytest tests/faults -k random --faults=1 --seed=123
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.checker import ParquetEnd, PostgresEnd, Reader, SqliteEnd, processes, until
from tests.faults.outcomes import Outcomes
from tests.faults.scene import Done, Mode, Pair, Scene, Servers, changes_once, finished, kill

_PAIRS = [
    Pair("pg", "pg"),
    Pair("csv", "pg"),
    Pair("pg", "parquet"),
    Pair("csv", "parquet"),
    Pair("pg", "sqlite"),
    Pair("csv", "sqlite"),
    Pair("csv", "folder"),
]
_MODES: list[Mode] = ["append", "replace", "merge"]
_FIRST_GUESS = 1.5  # seconds that a command takes
_AGAIN = 0.3  # how likely it is that whoever takes the load up again is killed, too

_lock = threading.Lock()
_durations: dict[str, float] = {}
landed: Counter[str] = Counter()
"""What the kills met, for the summary."""


@dataclass(frozen=True)
class Case:
    """One seed."""

    seed: int

    def __str__(self) -> str:
        return f"seed-{self.seed}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        first, count = metafunc.config.getoption("seed"), metafunc.config.getoption("faults")
        metafunc.parametrize("case", [Case(seed) for seed in range(first, first + count)], ids=str)


def test_a_load_happens_exactly_once_however_randomly_it_is_killed(case: Case, outcomes: Outcomes) -> None:
    outcomes.check(case)


def play(case: Case, folder: Path, servers: Servers) -> None:
    """One load that is killed until it is done."""
    dice = random.Random(case.seed)
    pair = dice.choice(_PAIRS)
    mode = dice.choice(_MODES[: 2 if pair.target == "folder" else 3])
    scene = Scene(folder, pair, mode, servers, options={"retries": dice.choice([0, 2])})
    end = scene.seed() if dice.random() < 0.8 else scene.end()
    before = end.key()
    with Reader(end) as reader:
        command = _next_command(dice, scene)
        done = _play_killed(dice, scene, end, before, command)
        while done.code != 0 and dice.random() < _AGAIN:
            command = _next_command(dice, scene)
            done = _play_killed(dice, scene, end, before, command)
        if done.code != 0:
            command = _next_command(dice, scene)
            done = _finish(scene, command)
        assert done.code == 0, f"{pair} {mode}: {done}"
        assert end.rows() == scene.expected, f"{pair} {mode}: {done}"
        if "--resume" not in command:  # a run that had succeeded loads nothing, and so removes nothing
            scene.check(end)
        again = scene.call(*scene.execute(1))
        assert again.code == 0, f"{pair} {mode}: {again}"
        scene.check(end)
    assert ('"already-loaded"' in again.stdout) == (mode == "append")
    changes_once(reader, before, end.key())
    scene.remove()


def _play_killed(
    dice: random.Random,
    scene: Scene,
    end: PostgresEnd | ParquetEnd | SqliteEnd,
    before: str,
    command: list[str],
) -> Done:
    """Start it, and kill somebody at some moment."""
    victim = "everything" if command[0] == "exec" else dice.choice(["task", "run", "everything"])
    moment = dice.random() * _durations.get(command[0], _FIRST_GUESS)
    was_committed, stamp = end.key() != before, end.stamp()
    running = scene.start(*command)
    time.sleep(moment)
    alive = running.poll() is None
    if victim == "everything":
        scene.kill_everything()
    else:
        for pid in [running.pid] if victim == "run" else [pid for pid, _ in scene.tasks()]:
            kill(pid)
    done = finished(running)
    until(lambda: not processes(scene.folder), "what the dead run had started ends")
    is_committed = end.key() != before
    if is_committed or done.code == 0:
        assert end.rows() == scene.expected, f"{done}"
    if done.code > 0:  # it lived to say that it failed, so it must not have committed
        assert end.stamp() == stamp, f"{done}"
        assert not (was_committed and scene.mode == "append"), f"{done}"
    with _lock:
        landed[("after the commit" if is_committed else "before it") if alive else "too late"] += 1
    return done


def _next_command(dice: random.Random, scene: Scene) -> list[str]:
    """What a scheduler or a person may do to have the load done: start it, anew or once more, or take it up."""
    choices = [scene.run(1), scene.execute(1)]
    if scene.latest_run() is not None:
        choices.append(scene.resume())
    return dice.choice(choices)


def _finish(scene: Scene, command: list[str]) -> Done:
    begun = time.monotonic()
    done = finished(scene.start(*command))
    with _lock:
        _durations[command[0]] = time.monotonic() - begun
    return done

"""kill -9 at every named place of a load into MongoDB, and at random moments.

No transaction holds its rows together, so what is looked at is another thing than with the others: until the load is
committed its collection is as it was; from then on somebody else finishes it, and it is there once.
"""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.conftest import Output
from tests.faults.checker import until
from windlass.connections import Address

MODES = ("append", "replace", "merge", "delete_insert")
COMMITTED = {
    "before-staging": False,
    "mid-copy": False,
    "before-ledger": False,
    "before-commit": False,
    "after-ledger": True,
    "mid-apply": True,
    "after-commit": True,
}
"""Every failpoint, and whether the load counts once it is reached."""

_DAY = datetime(2026, 2, 1)
_BAD_LINES = 3
_EXECUTE = ("exec", "load", "load", "--logical-date", "2026-02-01")
_RUN = ("run", "load", "--logical-date", "2026-02-01", "--json")

OLD = [(number, f"old {number}", _DAY + timedelta(number % 2)) for number in range(1, 301)]
NEW = [(number, f"new {number}", _DAY) for number in range(201, 2701)]  # three bulks of them

Windlass = Callable[..., Output]


class Scene:
    """A project with one copy from a file into a collection that has the old rows."""

    def __init__(self, folder: Path, address: Address, mode: str) -> None:
        self.folder, self.mode = folder, mode
        self.client: MongoClient[dict[str, Any]] = MongoClient(address.uri())
        self.database = self.client[address.database]
        options = {**address.options, "silence": "1"}
        self.uri = replace(address, options=options).uri()
        self.environment = {"WINDLASS_CONN_M": self.uri, "WINDLASS_RUN_ID": "scheduled"}
        self._write_project()
        self.database.rows.insert_many({"id": i, "name": name, "day": day} for i, name, day in OLD)
        self.database.rows.create_index("id")

    def _write_project(self) -> None:
        with (self.folder / "new.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("id", "name", "day"))
            rows.writerows((i, name, day.date()) for i, name, day in NEW)
            rows.writerows((f"{number}x", "bad", "2026-02-01") for number in range(_BAD_LINES))
        options: dict[str, Any] = {"key": ["id"]} if self.mode == "merge" else {}
        if self.mode == "delete_insert":
            options = {"interval": "day"}
        copy = {
            "from": {"path": "new.csv"},
            "to": {"connection": "m", "collection": "rows", "mode": self.mode, **options},
            "select": {"id": {"type": "bigint"}, "name": {"type": "text"}, "day": {"type": "date"}},
            "on_bad_row": "quarantine",
        }
        pipeline = {
            "pipeline": "load",
            "schedule": "@daily",
            "start": "2026-01-01",
            "tasks": {"load": {"copy": copy}},
        }
        (self.folder / "pipelines").mkdir()
        (self.folder / "pipelines" / "load.yaml").write_text(json.dumps(pipeline))
        project = {"project": "faults", "connections": {"m": {"type": "mongodb"}}}
        (self.folder / "windlass.yaml").write_text(json.dumps(project))

    def rows(self) -> Counter[tuple[Any, ...]]:
        return Counter((d["id"], d["name"], d["day"]) for d in self.database.rows.find())

    @property
    def expected(self) -> Counter[tuple[Any, ...]]:
        if self.mode == "replace":
            return Counter(NEW)
        if self.mode == "append":
            return Counter([*OLD, *NEW])
        if self.mode == "merge":
            return Counter({row[0]: row for row in [*OLD, *NEW]}.values())
        return Counter([*(row for row in OLD if row[2] != _DAY), *NEW])

    def check(self) -> None:
        """The rows are right, the ledger has its entry, and nothing else is left."""
        found, expected = self.rows(), self.expected
        assert found == expected, (
            f"missing {list(expected - found)[:3]}, too many {list(found - expected)[:3]}"
        )
        entries = [(e["rows_read"], e["rows_written"]) for e in self.database["_windlass_loads"].find()]
        assert entries == [(len(NEW) + _BAD_LINES, len(NEW))]
        assert all("committed" not in writer for writer in self.database["_windlass_writers"].find())
        assert sorted(self.database.list_collection_names()) == [
            "_windlass_loads",
            "_windlass_writers",
            "rows",
        ]


@pytest.fixture
def scene(tmp_path: Path, mongodb: Address) -> Iterator[Callable[[str], Scene]]:
    made: list[Scene] = []

    def make(mode: str) -> Scene:
        made.append(Scene(tmp_path, mongodb, mode))
        return made[-1]

    yield make
    for each in made:
        each.client.close()


@pytest.mark.one_of(3)
@pytest.mark.parametrize(("failpoint", "mode"), list(product(COMMITTED, MODES)))
def test_a_load_happens_once_wherever_it_is_killed(
    scene: Callable[[str], Scene], windlass: Windlass, failpoint: str, mode: str
) -> None:
    stage = scene(mode)
    environment = {**stage.environment, "WINDLASS_FAILPOINT": f"{failpoint}:kill"}
    killed = windlass(*_EXECUTE, cwd=stage.folder, env=environment)
    assert killed.code in (-signal.SIGKILL, 128 + signal.SIGKILL), killed
    if not COMMITTED[failpoint]:
        assert stage.rows() == Counter(OLD)
    for _ in range(2):
        done = windlass(*_EXECUTE, cwd=stage.folder, env=stage.environment)
        assert done.code == 0, done
        stage.check()
    assert ('"already-loaded"' in done.stdout) == (mode == "append")


@pytest.mark.one_of(2)
@pytest.mark.parametrize("mode", MODES)
def test_who_finishes_a_load_may_be_killed_too(
    scene: Callable[[str], Scene], windlass: Windlass, mode: str
) -> None:
    stage = scene(mode)
    for failpoint in ("mid-apply", "during-recovery", "mid-apply"):
        environment = {**stage.environment, "WINDLASS_FAILPOINT": f"{failpoint}:kill"}
        killed = windlass(*_EXECUTE, cwd=stage.folder, env=environment)
        if mode == "replace" and failpoint == "mid-apply" and killed.code == 0:
            continue  # it was renamed before
        assert killed.code in (-signal.SIGKILL, 128 + signal.SIGKILL), killed
    assert windlass(*_EXECUTE, cwd=stage.folder, env=stage.environment).code == 0
    stage.check()


@pytest.mark.one_of(3)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("failpoint", "state"), [("after-ledger", "success"), ("before-commit", "failed")])
def test_a_run_settles_what_its_last_attempt_committed(
    scene: Callable[[str], Scene], windlass: Windlass, mode: str, failpoint: str, state: str
) -> None:
    stage = scene(mode)
    environment = {**stage.environment, "WINDLASS_FAILPOINT": f"{failpoint}:kill"}
    done = windlass(*_RUN, cwd=stage.folder, env=environment)
    assert done.json["tasks"][0]["status"] == state, done
    if state == "success":
        stage.check()
    else:
        assert stage.rows() == Counter(OLD)


def test_a_load_that_was_killed_is_finished_by_another_task_and_not_by_one_that_is_elsewhere(
    scene: Callable[[str], Scene], windlass: Windlass
) -> None:
    stage = scene("append")
    environment = {**stage.environment, "WINDLASS_FAILPOINT": "mid-apply:kill"}
    windlass(*_EXECUTE, cwd=stage.folder, env=environment)
    more = stage.folder / "more.csv"
    more.write_text("id,name,day\n9001,more,2026-02-01\n")
    done = windlass("copy", more, f"{stage.uri}&collection=other", "--mode", "append", cwd=stage.folder)
    assert done.code == 0, done
    assert stage.rows() != stage.expected
    done = windlass("copy", more, f"{stage.uri}&collection=rows", "--mode", "append", cwd=stage.folder)
    assert done.code == 0, done
    assert stage.rows() == stage.expected + Counter([(9001, "more", _DAY)])


@pytest.mark.one_of(3)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failpoint", ["mid-copy", "before-commit"])
def test_a_writer_that_was_paused_does_nothing_when_it_wakes_up(
    scene: Callable[[str], Scene], windlass: Windlass, failpoint: str, mode: str
) -> None:
    stage = scene(mode)
    paused = _started(stage, WINDLASS_FAILPOINT=f"{failpoint}:stop")
    until(lambda: _is_stopped(paused.pid), "the writer is paused")
    assert windlass(*_EXECUTE, cwd=stage.folder, env=stage.environment).code == 0
    stage.check()
    paused.send_signal(signal.SIGCONT)
    assert paused.wait(60) == 1
    stage.check()


@pytest.mark.one_of(3)
@pytest.mark.parametrize("number", range(6))
def test_a_load_happens_once_however_randomly_it_is_killed(
    scene: Callable[[str], Scene], windlass: Windlass, number: int, request: pytest.FixtureRequest
) -> None:
    dice = random.Random(request.config.getoption("seed") + number)
    stage = scene(dice.choice(MODES))
    for _ in range(dice.choice((1, 1, 2, 3))):
        _kill_at(dice.random() * 3, stage)
        assert stage.mode != "replace" or stage.rows() in (Counter(OLD), stage.expected)
    done = windlass(*_EXECUTE, cwd=stage.folder, env=stage.environment)
    assert done.code == 0, done
    stage.check()


def _kill_at(moment: float, stage: Scene) -> None:
    process = _started(stage)
    time.sleep(moment)
    process.kill()
    process.wait()


def _started(stage: Scene, **more: str) -> subprocess.Popen[bytes]:
    own = {k: v for k, v in os.environ.items() if not k.startswith("WINDLASS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "windlass", *_EXECUTE],
        cwd=stage.folder,
        env={**own, **stage.environment, **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _is_stopped(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False

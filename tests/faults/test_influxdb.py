"""kill -9 at every named place of a load into InfluxDB, and a writer that sleeps while another one takes over.

There are no transactions, so what is looked at is this: whoever starts the load again has the same points at its end, and
nothing that the load is not about is touched.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Output
from tests.faults.checker import until
from windlass.connections import Address
from windlass.connectors.influxdb.client import Connection

MODES = ("append", "replace", "delete_insert")
FAILPOINTS = ("before-staging", "mid-copy", "mid-apply", "before-commit", "after-ledger", "during-recovery")
_HOUR = 3_600 * 10**9
_FIRST = 1_769_904_000 * 10**9  # 2026-02-01
_BAD_LINES = 3
_EXECUTE = ("exec", "load", "load", "--logical-date", "2026-02-01")

Windlass = Callable[..., Output]
Points = dict[tuple[str, int], int]

OLD: Points = {
    ("a", _FIRST - _HOUR): 1,
    ("a", _FIRST): 2,
    ("z", _FIRST + _HOUR): 3,
    ("a", _FIRST + 24 * _HOUR): 4,
}
NEW: Points = {("ab"[i % 2], _FIRST + i * 10**9): 1000 + i for i in range(6000)}  # two requests


class Scene:
    """A project with one copy from a file into a measurement that has the old points."""

    def __init__(self, folder: Path, address: Address) -> None:
        self.folder, self.connection = folder, Connection(address)
        silent = replace(address, options={**address.options, "silence": "1"})
        self.environment = {"WINDLASS_CONN_I": silent.uri(), "WINDLASS_RUN_ID": "scheduled"}
        (folder / "pipelines").mkdir()
        project = {"project": "faults", "connections": {"i": {"type": "influxdb"}}}
        (folder / "windlass.yaml").write_text(json.dumps(project))
        times = {key: datetime.fromtimestamp(key[1] // 10**9, UTC).isoformat() for key in NEW}
        lines = [f"{key[0]},{times[key]},{value}\n" for key, value in NEW.items()]
        bad = [f"a,2026-02-01T00:00:00Z,{number}x\n" for number in range(_BAD_LINES)]
        (folder / "new.csv").write_text("city,at,v\n" + "".join([*lines, *bad]))

    def begin(self, mode: str) -> None:
        """A new measurement, and the pipeline that loads into it."""
        to = {"connection": "i", "measurement": "m", "mode": mode, "tags": "city", "time": "at"}
        if mode == "delete_insert":
            to["interval"] = "at"
        copy = {
            "from": {"path": "new.csv"},
            "to": to,
            "select": {"city": {}, "at": {"type": "timestamptz"}, "v": {"type": "bigint"}},
            "on_bad_row": "quarantine",
        }
        pipeline = {
            "pipeline": "load",
            "schedule": "@daily",
            "start": "2026-01-01",
            "tasks": {"load": {"copy": copy}},
        }
        (self.folder / "pipelines" / "load.yaml").write_text(json.dumps(pipeline))
        for measurement in ("m", "windlass_loads", "windlass_writers"):
            self.connection.query(f"DROP MEASUREMENT {measurement}")
        lines = [f"m,city={city} v={value}i {at}\n" for (city, at), value in OLD.items()]
        self.connection.write("".join(lines).encode())

    def points(self) -> Points:
        rows = [row for series in self.connection.query("SELECT * FROM m") for row in series.rows()]
        return {(row["city"], row["time"]): row["v"] for row in rows}

    def check(self, mode: str) -> None:
        """The points are right, and the ledger has its entry."""
        stays: Points = {} if mode == "replace" else OLD
        if mode == "delete_insert":
            stays = {key: v for key, v in OLD.items() if not _FIRST <= key[1] < _FIRST + 24 * _HOUR}
        assert self.points() == {**stays, **NEW}
        found = self.connection.query("SELECT * FROM windlass_loads")
        counts = {(row["rows_read"], row["rows_written"]) for series in found for row in series.rows()}
        assert counts == {(len(NEW) + _BAD_LINES, len(NEW))}


@pytest.fixture
def scene(tmp_path: Path, influxdb: Address) -> Scene:
    return Scene(tmp_path, influxdb)


@pytest.mark.one_of(3)
@pytest.mark.parametrize("mode", MODES)
def test_a_load_ends_with_the_same_points_wherever_it_is_killed(
    scene: Scene, windlass: Windlass, mode: str
) -> None:
    for failpoint in FAILPOINTS:
        scene.begin(mode)
        environment = {**scene.environment, "WINDLASS_FAILPOINT": f"{failpoint}:kill"}
        killed = windlass(*_EXECUTE, cwd=scene.folder, env=environment)
        assert killed.code in (-signal.SIGKILL, 128 + signal.SIGKILL), killed
        if failpoint in ("before-staging", "mid-copy", "during-recovery"):
            assert scene.points() == OLD, failpoint
        if failpoint == "mid-apply":
            assert 0 < len(scene.points().keys() & NEW.keys()) < len(NEW)
        done = windlass(*_EXECUTE, cwd=scene.folder, env=scene.environment)
        assert done.code == 0, done
        is_known = mode == "append" and failpoint == "after-ledger"
        assert ('"already-loaded"' in done.stdout) == is_known, failpoint
        scene.check(mode)


@pytest.mark.one_of(3)
@pytest.mark.parametrize("mode", MODES)
def test_a_writer_that_was_paused_sends_nothing_more_when_it_wakes_up(
    scene: Scene, windlass: Windlass, mode: str
) -> None:
    scene.begin(mode)
    paused = subprocess.Popen(
        [sys.executable, "-m", "windlass", *_EXECUTE],
        cwd=scene.folder,
        env={**_own(), **scene.environment, "WINDLASS_FAILPOINT": "mid-apply:stop"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _is_stopped(paused.pid), "the writer is paused")
        assert windlass(*_EXECUTE, cwd=scene.folder, env=scene.environment).code == 0
        scene.check(mode)
        paused.send_signal(signal.SIGCONT)
        assert paused.wait(60) == 1
        scene.check(mode)
    finally:
        paused.kill()
        paused.wait()


def _own() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("WINDLASS_")}


def _is_stopped(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False

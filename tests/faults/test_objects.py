"""kill -9 at the named places of a load into a store, and writers that come at once.

That a load may die, or sleep, at any single request is in tests/unit/storage/test_objects.py; here are real processes and a
real server.
"""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Output
from tests.connectors.store_kit import Bucket

FAILPOINTS = {"before-commit": False, "mid-rename": True}
"""And whether the load is committed once it is reached."""

Windlass = Callable[..., Output]
ONE, BELOW = "out/orders.csv", "out/orders/"
EARLIER = 1
NUMBERS = list(range(2, 2000))


class Scene:
    """A project with one copy into a bucket that has a row of an earlier load."""

    def __init__(self, folder: Path, bucket: Bucket, windlass: Windlass, path: str) -> None:
        self.folder, self.bucket, self.path, self._windlass = folder, bucket, path, windlass
        (folder / "pipelines").mkdir()
        project = {"project": "faults", "connections": {"lake": {"type": bucket.address.type}}}
        (folder / "windlass.yaml").write_text(json.dumps(project))
        copy = {
            "from": {"path": "{{ ds }}.csv"},
            "to": {"connection": "lake", "path": path, "mode": "append", "format": "csv"},
        }
        pipeline = {
            "pipeline": "load",
            "schedule": "@daily",
            "start": "2026-01-01",
            "tasks": {"load": {"copy": copy}},
        }
        (folder / "pipelines" / "load.yaml").write_text(json.dumps(pipeline))

    def load(self, day: str, numbers: list[int], failpoint: str = "") -> Output:
        (self.folder / f"{day}.csv").write_text("id\n" + "".join(f"{number}\n" for number in numbers))
        environment = {"WINDLASS_CONN_LAKE": self.bucket.address.uri(), "WINDLASS_RUN_ID": "scheduled"}
        if failpoint:
            environment["WINDLASS_FAILPOINT"] = f"{failpoint}:kill"
        return self._windlass("exec", "load", "load", "--logical-date", day, cwd=self.folder, env=environment)

    def numbers(self) -> list[int]:
        """What is in the objects of data."""
        keys = [key for key in self.bucket.names() if key.startswith(self.path) and "windlass" not in key]
        rows = (csv.DictReader(io.StringIO(self.bucket.get(key).decode())) for key in keys)
        return sorted(int(row["id"]) for each in rows for row in each)

    def manifest(self) -> dict[str, list[object]]:
        (key,) = (key for key in self.bucket.names() if "windlass" in key)
        found: dict[str, list[object]] = json.loads(self.bucket.get(key))
        return found


@pytest.fixture(params=["s3", "azure"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    made: Bucket = request.getfixturevalue(request.param)()
    return made


@pytest.fixture(params=[ONE, BELOW], ids=["one", "below"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, bucket: Bucket, windlass: Windlass) -> Scene:
    return Scene(tmp_path, bucket, windlass, request.param)


@pytest.mark.one_of(4)
def test_a_load_is_there_once_wherever_it_is_killed(scene: Scene) -> None:
    for failpoint, is_committed in FAILPOINTS.items():
        scene.bucket.empty()
        assert scene.load("2026-02-01", [EARLIER]).code == 0
        killed = scene.load("2026-02-02", NUMBERS, failpoint)
        assert killed.code in (-signal.SIGKILL, 128 + signal.SIGKILL), (failpoint, killed)
        again = scene.load("2026-02-02", NUMBERS)
        assert again.code == 0, (failpoint, again)
        assert ('"already-loaded"' in again.stdout) == is_committed, failpoint
        assert scene.numbers() == [EARLIER, *NUMBERS], failpoint
        manifest = scene.manifest()
        assert len(manifest["loads"]) == 2
        assert not manifest.keys() & {"starts", "retired"}
        assert scene.bucket.uploads() == 0


@pytest.mark.one_of(4)
def test_writers_at_once_lose_no_row(scene: Scene) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda day: scene.load(f"2026-02-0{day}", [day]), (1, 2, 3)))
    assert [each.code for each in done] == [0, 0, 0], done
    assert scene.numbers() == [1, 2, 3]
    assert len(scene.manifest()["loads"]) == 3

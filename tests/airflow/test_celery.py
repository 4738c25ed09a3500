"""`windlass up --executor celery`: a real broker, real workers, one of them killed in the middle of a copy."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.client import Up
from tests.airflow.processes import gone, processes_of, what_it_shows
from tests.airflow.proof import Proof, gate, make_project
from tests.conftest import missing
from tests.examples.expected import TRIPS
from windlass.errors import FatalError
from windlass.stack.broker import server_program

CELERY = ("--executor", "celery", "--workers", "2")
WORKERS = ("worker-1", "worker-2")

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def started(bring_up: Callable[..., Up], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proof]:
    """The project of the proof, on two workers."""
    if find_spec("celery") is None:
        missing("Celery")
    try:
        server_program()
    except FatalError as exc:
        missing(f"a broker: {exc.hint}")
    project = tmp_path_factory.mktemp("celery") / "project"
    databases, canary = make_project(project)
    with closing(databases):
        yield Proof(bring_up(project, *CELERY), databases, canary)


@pytest.fixture
def celery(started: Proof) -> Proof:
    """It, up: a test may have ended it."""
    if not started.up.status()["up"]:
        port = started.up.url.rpartition(":")[2]
        again = started.up.windlass("up", "--detach", "--port", port, *CELERY)
        assert again.returncode == 0, again.stderr
    return started


def workers(up: Up) -> dict[str, dict[str, Any]]:
    return {worker["name"]: worker for worker in up.status()["workers"]}


def test_an_example_runs_on_the_workers_which_status_shows(celery: Proof) -> None:
    parts = {part["name"]: part["state"] for part in celery.up.status()["parts"]}
    assert {parts[name] for name in ("broker", "scheduler", *WORKERS)} == {"healthy"}
    celery.run("taxi_csv")
    assert celery.databases.ask("warehouse", "SELECT count(*) FROM yellow_trips") == [(TRIPS,)]
    logs = [celery.up.project / ".windlass" / "up" / "logs" / f"{name}.log" for name in WORKERS]
    assert any("Executing workload in Celery" in log.read_text() for log in logs)
    shown = celery.up.windlass("status").stdout
    assert re.search(r"^worker-1 +default +\d of \d+ ", shown, re.MULTILINE), shown


def test_rows_are_there_once_though_the_worker_was_killed_in_the_middle(celery: Proof) -> None:
    up, table = celery.up, "gated_on_a_worker"
    with gate(celery.databases.url("pg_x")) as somebody_waits:
        run = up.trigger("gated", {"table": table})
        up.until(somebody_waits)
        task = {"pipeline": "gated", "task": "load", "run": run, "attempt": 1, "part": None}
        [name] = up.until(lambda: [n for n, worker in workers(up).items() if task in worker["running"]])
        the_password_of_the_broker_is_in_files_only(up.project / ".windlass" / "up")
        [killed] = [part["pid"] for part in up.status()["parts"] if part["name"] == name]
        os.kill(killed, signal.SIGKILL)
        up.until(lambda: workers(up)[name]["restarts"] == 1)
    assert up.wait("gated", run) == "success"
    assert up.tasks("gated", run)["load"]["try_number"] == 2
    counted = f"SELECT count(*), count(DISTINCT id), min(id), max(id), min(name), max(name) FROM {table}"
    assert celery.databases.ask("pg_y", counted) == [(10_000, 10_000, 1, 10_000, "row 1", "row 9999")]
    up.until(lambda: up.status()["state"] == "healthy")
    log = (up.project / ".windlass" / "up" / "logs" / "supervisor.log").read_text()
    assert f"{name} has ended: killed by SIGKILL; it is started again" in log


def the_password_of_the_broker_is_in_files_only(home: Path) -> None:
    config = home / "broker" / "broker.conf"
    assert config.stat().st_mode & 0o777 == 0o600
    [password] = re.findall(r"^requirepass (\S+)$", config.read_text(), re.MULTILINE)
    shown = [what_it_shows(pid) for pid in processes_of(home)]
    assert len(shown) > 10, "the broker, two workers with their children, and the others"
    assert not [each for each in shown if password.encode() in each]
    told = [file.read_bytes() for file in (*home.rglob("*.log"), home / "state.json")]
    assert not [each for each in told if password.encode() in each]


def test_a_supervisor_that_is_killed_leaves_no_worker_and_no_broker(celery: Proof) -> None:
    os.kill(celery.up.status()["pid"], signal.SIGKILL)
    assert gone(celery.up.project / ".windlass" / "up")
    assert celery.up.windlass("status").stdout == "nothing is up\n"

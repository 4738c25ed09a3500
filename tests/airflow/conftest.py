"""A real Airflow, started by `windlass up` once for the tests of a module."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.airflow.client import Up
from tests.airflow.proof import Databases, Proof, make_project
from tests.conftest import ROOT, missing
from tests.warm import Warm

_LEFT_BEHIND = (".windlass", "node_modules", "__pycache__", "downloads", "imported_data", "processed_data")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def bring_up(warm: Warm) -> Iterator[Callable[..., Up]]:
    """Starts Airflow for a project, on a free port; it is stopped after the tests of the module."""
    if find_spec("airflow") is None:
        missing("Airflow")
    started: list[Up] = []

    def start(project: Path, *options: str, env: dict[str, str] | None = None) -> Up:
        up = Up(project, f"http://127.0.0.1:{free_port()}", "", warm)
        started.append(up)
        start_airflow(up, *options, env=env)
        return up

    yield start
    for up in started:
        up.windlass("down")


def start_airflow(up: Up, *options: str, env: dict[str, str] | None = None) -> None:
    """Start it on the port that its address has, and wait until it is healthy."""
    port = up.url.rpartition(":")[2]
    command = [sys.executable, "-m", "windlass", "-C", str(up.project), "up", "--detach", "--port", port]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WINDLASS_", "AIRFLOW"))}
    done = subprocess.run(
        [*command, *options],
        env={**environment, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    keys = json.loads((up.project / ".windlass" / "up" / "keys.json").read_text())
    up.password = keys["admin_password"]


@pytest.fixture(scope="package")
def proof(shared: Path, warm: Warm) -> Iterator[Proof]:
    """A real Airflow with the pipelines of all examples and those of `project/`.

    The workers of a test session share it: the first one starts it, and the last one stops it.
    """
    if find_spec("airflow") is None:
        missing("Airflow")
    with (shared / "proof.users").open("a") as users:
        with _alone(shared):
            fcntl.flock(users, fcntl.LOCK_SH)
            found = _found_or_started(shared / "proof", shared / "proof.json", warm)
        yield found
        found.databases.close()
        with _alone(shared), suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.up.windlass("down")
            (shared / "proof.json").unlink()


def _found_or_started(project: Path, note: Path, warm: Warm) -> Proof:
    if note.exists():
        known = json.loads(note.read_text())
        up = Up(project, known["url"], known["password"], warm)
        return Proof(up, Databases(project), known["canary"])
    shutil.rmtree(project, ignore_errors=True)
    databases, canary = make_project(project)
    up = Up(project, f"http://127.0.0.1:{free_port()}", "", warm)
    try:
        start_airflow(up)
    except BaseException:
        up.windlass("down")
        raise
    note.write_text(json.dumps({"url": up.url, "password": up.password, "canary": canary}))
    return Proof(up, databases, canary)


@pytest.fixture
def alone_at_the_gate(shared: Path) -> Iterator[None]:
    """Of the tests that hold copies at the gate one plays at a time, to the end of its run."""
    with _alone(shared, "gate"):
        yield


@contextmanager
def _alone(folder: Path, what: str = "proof") -> Iterator[None]:
    """One worker at a time: starts or stops, for one."""
    with (folder / f"{what}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def example_copy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A copy of an example project, without what earlier runs of it left behind."""

    def copy(name: str) -> Path:
        target = tmp_path_factory.mktemp(name) / name
        shutil.copytree(ROOT / "examples" / name, target, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        return target

    return copy

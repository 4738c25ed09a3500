"""The Postgres that stands in for a connection: where its data are, and how long."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import eventually
from windlass.connectors.postgres.session import Session
from windlass.devservices import DevServices
from windlass.errors import FatalError
from windlass.plan.model import Connection
from windlass.processes import identity_of


def places() -> dict[str, Path]:
    """The folders below /var/tmp with the data of services, by the folder that each stands for."""
    notes = Path("/var/tmp").glob("windlass-dev-*/of")
    return {note.read_text(): note.parent for note in notes}


def started(folder: Path) -> str:
    """Start a service and stop it. Returns its own folder."""
    services = DevServices(folder, folder)
    services.start("db", Connection(type="postgres"))
    services.close()
    return str(next(folder.glob("**/db")))


@pytest.mark.skipif(os.geteuid() != 0, reason="only a server that root starts has its data elsewhere")
def test_data_elsewhere_go_when_their_project_has_gone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    gone, kept = started(tmp_path / "gone"), started(tmp_path / "kept")
    assert {gone, kept} <= places().keys()
    shutil.rmtree(tmp_path / "gone")
    started(tmp_path / "new")
    assert gone not in places()
    assert kept in places()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the environment of a process")
def test_a_server_gets_none_of_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_CONN_PROD", "postgresql://u:canary-of-ours@10.0.0.1/db")
    services = DevServices(tmp_path, tmp_path)
    address = services.start("db", Connection(type="postgres"))
    session = Session(address)
    try:
        session.execute("CREATE TABLE found (line text); COPY found FROM PROGRAM 'env'")
        lines = [str(row[0]) for row in session.fetch("SELECT line FROM found")]
    finally:
        session.close()
        services.close()
    assert any(line.startswith("PATH=") for line in lines)
    assert not [line for line in lines if "canary" in line or "WINDLASS" in line]


# --- look-alikes: a process that is not ours is never stopped --------------------------------------

LOOK_ALIKE = "import time; print(flush=True); time.sleep(600)"


@pytest.fixture
def look_alike() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process that is no Postgres, with these arguments, in this folder."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", LOOK_ALIKE, *arguments]
        process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def stopped(tmp_path: Path) -> Callable[[], tuple[Path, Path]]:
    """A service that has run, and has stopped: its own folder, and the one with its data."""

    def call() -> tuple[Path, Path]:
        services = DevServices(tmp_path, tmp_path)
        services.start("db", Connection(type="postgres"))
        services.close()
        folder = tmp_path / "dev" / "db"
        data = places().get(str(folder), folder) / "data"
        eventually(lambda: not (data / "postmaster.pid").exists())
        return folder, data

    return call


def start_again(root: Path) -> None:
    services = DevServices(root, root)
    try:
        services.start("db", Connection(type="postgres"))
    finally:
        services.close()


@pytest.mark.parametrize("argument", ["postgres", "-Dpostgres", "--username=postgres"])
def test_a_stranger_that_has_the_number_of_an_ended_server_is_left_alone(
    argument: str, stopped: Callable[[], tuple[Path, Path]], look_alike: Any, tmp_path: Path
) -> None:
    _, data = stopped()
    stranger = look_alike(argument)
    (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n")
    start_again(tmp_path)
    assert stranger.poll() is None


def test_a_server_of_our_data_that_somebody_else_started_is_left_alone_and_told(
    stopped: Callable[[], tuple[Path, Path]], look_alike: Any, tmp_path: Path
) -> None:
    _, data = stopped()
    stranger = look_alike("postgres", "-D", str(data), cwd=data)
    (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n")
    with pytest.raises(FatalError, match=f"process {stranger.pid} serves .* cannot prove that it started it"):
        start_again(tmp_path)
    assert stranger.poll() is None
    assert (data / "postmaster.pid").exists()


def test_a_server_that_our_launcher_has_left_is_ended(
    stopped: Callable[[], tuple[Path, Path]], look_alike: Any, tmp_path: Path
) -> None:
    folder, data = stopped()
    left = look_alike("postgres", "-D", str(data), cwd=data)
    (data / "postmaster.pid").write_text(f"{left.pid}\n{data}\n")
    (folder / "alive.lock").write_text(f"{identity_of(left.pid)}\n")
    reaper = threading.Thread(target=left.wait)
    reaper.start()
    (data / "postmaster.pid").chmod(0o666)
    start_again(tmp_path)
    reaper.join()
    assert left.returncode == -signal.SIGINT

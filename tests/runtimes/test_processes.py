"""Signals go to the process that is meant, and to no other that has its number or looks like it."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from windlass.processes import Identity, Process, identity, identity_of, last_words, signal_process
from windlass.processes.launch import launch

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)", "an argument"]

Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture(params=["pidfd", "proc", "ps"])
def _system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the system tells of processes: Linux, an older Linux, or another one."""
    if request.param == "pidfd" and not hasattr(os, "pidfd_open"):
        pytest.skip("there are pidfds on Linux only")
    if request.param != "pidfd":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    if request.param == "ps":
        if not (shutil.which("ps") and shutil.which("lsof")):
            pytest.skip("there is no ps or lsof")
        monkeypatch.setattr(identity, "_has_proc", lambda: False)
    elif sys.platform != "linux":
        pytest.skip("there is no /proc")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes that do nothing; they are ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def call() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(SLEEP, cwd=tmp_path, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()  # it is that program now, and no longer a copy of ours
        return process

    yield call
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.usefixtures("_system")
def test_a_process_is_known_by_what_the_system_tells(start: Start, tmp_path: Path) -> None:
    child = start()
    with Process(child.pid) as process:
        assert process.identity == Identity.parse(str(identity_of(child.pid)))
        assert "argument" in " ".join(process.arguments)
        assert (process.folder, process.owner) == (tmp_path, os.geteuid())


@pytest.mark.usefixtures("_system")
def test_only_the_process_that_is_meant_gets_a_signal(start: Start) -> None:
    child, stranger = start(), start()
    meant = identity_of(child.pid)
    assert meant is not None
    # what a note says after its process has ended, and a stranger has got its number
    assert not signal_process(Identity(stranger.pid, f"{meant.began}0"), signal.SIGKILL)
    assert not signal_process(Identity(stranger.pid, ""), signal.SIGKILL)
    assert stranger.poll() is None
    assert signal_process(meant, signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    assert not signal_process(meant, signal.SIGTERM)
    assert stranger.poll() is None


@pytest.mark.usefixtures("_system")
def test_a_process_that_has_ended_is_never_signalled_whoever_has_its_number(start: Start) -> None:
    child = start()
    with Process(child.pid) as held:
        assert not held.wait(0)
        child.kill()
        child.wait()
        assert held.wait(10)
        assert not held.signal(signal.SIGTERM)
    with Process(child.pid) as gone:
        assert (gone.identity, gone.wait(0), gone.signal(signal.SIGTERM)) == (None, True, False)


@pytest.mark.parametrize("text", ["", "17", "17 ", "seventeen boot:1", "-1 boot:1"])
def test_a_number_alone_is_no_identity(text: str) -> None:
    assert Identity.parse(text) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_launcher_notes_which_process_its_command_is(tmp_path: Path) -> None:
    alive, wanted, noted = tmp_path / "alive", tmp_path / "wanted", tmp_path / "noted"
    alive.write_text("a longer note of an earlier process, which has to go\n" * 3)
    script = f"ps -o pid= -p $$ > {noted}; cat {alive} >> {noted}; read line < /dev/stdin; cat /proc/$$/stat >> {noted}"
    with wanted.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        launcher = launch(["sh", "-c", f"while ! test -s {alive}; do :; done; {script}"], wanted, alive=alive)
        assert launcher.wait() == 0
    pid, note, stat = noted.read_text().splitlines()
    identity = Identity.parse(note)
    assert identity is not None
    assert identity.pid == int(pid)
    assert identity.began.rpartition(":")[2] == stat.rpartition(")")[2].split()[19]


def test_what_a_process_said_is_never_an_empty_reason() -> None:
    assert last_words("a\nb\n", 1) == "\n    a\n    b"
    assert last_words(" \n", 3) == " exit code 3"
    assert last_words("", -signal.SIGKILL) == " killed by SIGKILL"

"""The launcher: how a command ends, and what becomes of processes that have lost their parent."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runner.conftest import eventually
from windlass.locks import has_owner, take
from windlass.processes.launch import launch

Launch = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Launch]:
    """Launches a shell script that is wanted as long as the test goes on."""
    wanted = tmp_path / "wanted"
    with wanted.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def call(*command: str, output: int | None = None) -> subprocess.Popen[bytes]:
            return launch(command, wanted, folder=tmp_path, output=output)

        yield call


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 130", 130),
        ("exit 143", 143),
        ("exit 255", 255),
        ("kill -TERM $$", -signal.SIGTERM),
        ("kill -KILL $$", -signal.SIGKILL),
        ("kill -SEGV $$", -signal.SIGSEGV),
        ("kill -40 $$", -40),
    ],
)
def test_the_launcher_ends_as_its_command_did(script: str, end: int, launched: Launch) -> None:
    assert launched("sh", "-c", script).wait() == end


@pytest.mark.parametrize(
    ("name", "content", "code", "reason"),
    [
        (
            "crlf",
            "#!/bin/sh\r\necho hi\r\n",
            126,
            "its interpreter '/bin/sh\\r' is not there; save it with Unix",
        ),
        ("env", "#!/usr/bin/nope -x\n", 126, "its interpreter '/usr/bin/nope' is not there"),
        ("foreign", "\x7fELF" + "\0" * 60, 126, "Exec format error"),
        ("plain", None, 127, "there is no program './plain'"),
    ],
)
def test_why_a_command_cannot_start_is_said(
    name: str, content: str | None, code: int, reason: str, launched: Launch, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, newline="")
        (tmp_path / name).chmod(0o755)
    launcher = launched(f"./{name}", output=subprocess.PIPE)
    said = json.loads(launcher.communicate()[0])
    assert (launcher.returncode, reason in said["error"], said["retryable"]) == (code, True, False), said


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt others")
def test_a_process_that_was_adopted_is_let_go_when_it_ends(tmp_path: Path) -> None:
    lock, noted = tmp_path / "wanted", tmp_path / "pid"
    orphan = f"sh -c 'sleep 0.3; echo $$ > {noted}.new; mv {noted}.new {noted}' &"
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        launcher = launch(["sh", "-c", f"({orphan}) ; exec sleep 600"], lock, output=subprocess.DEVNULL)
        eventually(noted.exists)
        assert launcher.poll() is None
        eventually(lambda: not Path(f"/proc/{noted.read_text().strip()}").exists())
    launcher.wait()


def test_who_waits_for_the_end_of_a_command_finds_nobody_who_stops_it(tmp_path: Path) -> None:
    """Else a run that waited for a dev service to be gone would take it for one that is up."""
    wanted, alive = tmp_path / "wanted", tmp_path / "alive"
    for _ in range(15):
        user = take(wanted, shared=True)
        launcher = launch(["sleep", "60"], wanted, shared_by_users=True, alive=alive, stop_signal="SIGKILL")
        eventually(lambda: has_owner(alive))
        user.close()
        while not has_owner(wanted) and launcher.poll() is None:
            pass
        with take(wanted, shared=True):
            assert not has_owner(alive)
        launcher.wait()

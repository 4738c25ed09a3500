"""`down` signals the supervisor that holds the lock, and nobody who only has its number."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from windlass.errors import RetryableError
from windlass.processes import identity_of
from windlass.stack import control
from windlass.stack.layout import Layout

HOLD = """
import fcntl, signal, sys, time
with open(sys.argv[1], "a+") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print(flush=True)
    time.sleep(600)
"""

Hold = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.of(tmp_path)


@pytest.fixture
def hold(layout: Layout) -> Iterator[Hold]:
    """Starts a process that holds the lock of the supervisor."""
    started: list[subprocess.Popen[bytes]] = []

    def call() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, layout.supervisor_lock], stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


def test_down_stops_the_process_that_noted_itself_in_the_lock(layout: Layout, hold: Hold) -> None:
    holder = hold()
    layout.supervisor_lock.write_text(str(identity_of(holder.pid)))
    assert control.down(layout)
    assert holder.wait() == -signal.SIGTERM
    assert not control.down(layout)


@pytest.mark.parametrize("note", ["{pid}", "{pid} an-earlier-boot:17", "", "{pid} "])
def test_down_leaves_a_process_alone_that_only_has_the_number_in_the_lock(
    note: str, layout: Layout, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_PATIENCE", 0.3)
    holder = hold()
    layout.supervisor_lock.write_text(note.format(pid=holder.pid))
    with pytest.raises(RetryableError, match="has not ended yet"):
        control.down(layout)
    assert holder.poll() is None

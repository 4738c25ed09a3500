"""The launcher: what becomes of processes that have lost their parent."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner.conftest import eventually
from windlass.runtimes.process import launch


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

"""Ends what a killed run left running, if its launchers were killed as well.

Normally a launcher ends its command when the run's lock is released (processes/launcher.py). Where every
process of windlass was killed at once, the command's own children may be left; the environment says by
which lock they live: a run id alone may stand in the environment of others, such as of a copy of this project.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from windlass import logs
from windlass.processes import Process
from windlass.processes.launch import LOCK

__all__ = ["end_orphans"]


def end_orphans(lock: Path) -> None:
    """Kill every process that lives by this lock, and that nobody will end any more. On Linux only."""
    if sys.platform != "linux":
        return
    mark = f"{LOCK}={lock}"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with Process(int(entry.name)) as process:
                is_left = mark in process.environment and not _has_launcher(process)
                if is_left and process.signal(signal.SIGKILL):
                    logs.warning("orphan_ended", run=lock.parent.name, pid=process.pid)


def _has_launcher(process: Process) -> bool:
    """Whether the process is a launcher, or has one above it, which is just ending it in an orderly way."""
    if any(argument.endswith("launcher.py") for argument in process.arguments):
        return True
    return process.parent > 1 and _has_launcher(Process(process.parent))

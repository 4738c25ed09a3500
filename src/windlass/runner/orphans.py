"""Ends what a killed run left running, if its launchers were killed as well.

Normally a launcher ends its command when the run's lock is released (runtimes/launcher.py). Where every
process of windlass was killed at once, the command's own children may be left; the environment says of
which run they are.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from windlass import logs

__all__ = ["end_orphans"]

_PROC = Path("/proc")


def end_orphans(run_id: str) -> None:
    """Kill every process of that run which nobody will end any more. On Linux only."""
    if sys.platform != "linux":
        return
    mark = f"WINDLASS_RUN_ID={run_id}".encode()
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and mark in _read(entry / "environ").split(b"\0"):
            pid = int(entry.name)
            if pid != os.getpid() and not _has_launcher(pid):
                logs.warning("orphan_ended", run=run_id, pid=pid)
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)


def _has_launcher(pid: int) -> bool:
    """Whether the process is a launcher, or has one above it, which is just ending it in an orderly way."""
    while pid > 1:
        if b"launcher.py" in _read(_PROC / str(pid) / "cmdline"):
            return True
        fields = _read(_PROC / str(pid) / "stat").rpartition(b")")[2].split()
        pid = int(fields[1]) if fields else 0
    return False


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""

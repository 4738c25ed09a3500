"""The processes of a stack, as anybody on this machine sees them."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["gone", "processes_of", "what_it_shows"]


def processes_of(home: Path) -> set[int]:
    """The processes that name the folder in their command line or environment, or are in it."""
    found = set()
    for pid in (int(folder.name) for folder in Path("/proc").glob("[0-9]*")):
        if os.fsencode(home) in what_it_shows(pid) and pid != os.getpid():
            found.add(pid)
    return found


def what_it_shows(pid: int) -> bytes:
    """Its command line, environment and folder; nothing once it has ended, which it may at any moment."""
    process = Path(f"/proc/{pid}")
    try:
        known = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
        return known + os.fsencode((process / "cwd").readlink())  # some give themselves another name
    except OSError:
        return b""


def gone(home: Path) -> bool:
    deadline = time.monotonic() + 60
    while processes_of(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True

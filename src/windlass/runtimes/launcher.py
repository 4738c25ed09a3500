"""Starts one command and never lets it outlive whoever wanted it. Standard library only.

    python -I -S launcher.py WANTED shared|exclusive ALIVE|- SIGNAL GRACE UID:GID|- -- COMMAND [ARG …]

Whoever wants the command holds a lock (flock) on the file WANTED. The kernel releases it when that
process ends, however it ends, kill -9 included; the launcher waits for the lock, and takes its release
as the order to stop. `shared` is for a lock that one run holds exclusively, `exclusive` for one that
several users share: then the last of them counts. The launcher itself holds the lock ALIVE while it
lives, so others can tell that the command has somebody to stop it.

To stop means SIGNAL to the command's process group and, after GRACE seconds, SIGKILL. What the command
leaves behind in its group is killed, too. The exit code is the command's, or 128 + signal.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any


def main(
    wanted: str, sharing: str, alive: str, signal_name: str, grace: str, user: str, _: str, *command: str
) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if alive != "-":
        fcntl.flock(os.open(alive, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC), fcntl.LOCK_EX)
    _in_background(_wait_for_lock, wanted, sharing, stop)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **_as_user(user))
    except OSError as exc:
        return 127 if isinstance(exc, FileNotFoundError) else 126
    _in_background(_wait_for_exit, child, stop)
    stop.wait()
    if child.poll() is None:
        _end(child, getattr(signal, signal_name), float(grace))
    _signal_group(child.pid, signal.SIGKILL)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _as_user(user: str) -> dict[str, Any]:
    if user == "-":
        return {}
    uid, gid = map(int, user.split(":"))
    return {"user": uid, "group": gid, "extra_groups": []}


def _wait_for_lock(path: str, sharing: str, stop: threading.Event) -> None:
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(file, fcntl.LOCK_SH if sharing == "shared" else fcntl.LOCK_EX)
    stop.set()
    time.sleep(3600)  # the lock is kept until this process has ended


def _wait_for_exit(child: subprocess.Popen[bytes], stop: threading.Event) -> None:
    child.wait()
    stop.set()


def _end(child: subprocess.Popen[bytes], number: int, grace: float) -> None:
    _signal_group(child.pid, number)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _in_background(function: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))

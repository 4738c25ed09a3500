"""Starts one command and never lets it outlive whoever wanted it. Standard library only.

    python -I -S launcher.py WANTED shared|exclusive ALIVE|- SIGNAL GRACE UID:GID|- -- COMMAND [ARG …]

Whoever wants the command holds a lock (flock) on the file WANTED. The kernel releases it when that
process ends, however it ends, kill -9 included; the launcher waits for the lock, and takes its release
as the order to stop. `shared` is for a lock that one run holds exclusively, `exclusive` for one that
several users share: then the last of them counts. The launcher itself holds the lock ALIVE while it
lives, so others can tell that the command has somebody to stop it.

To stop means SIGNAL to the command's process group and, after GRACE seconds, SIGKILL. What the command
leaves behind is killed, too: its group and, on Linux, every descendant but those that have a launcher of
their own. There the command also dies with a launcher that is itself killed. The exit code is the
command's, or 128 + signal; 126 or 127 and a line of JSON when it cannot be started.
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

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # of Linux: man 2 prctl


def main(
    wanted: str, sharing: str, alive: str, signal_name: str, grace: str, user: str, _: str, *command: str
) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if alive != "-":
        fcntl.flock(os.open(alive, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC), fcntl.LOCK_EX)
    try:
        child = _start(command, user)
    except (OSError, ValueError) as exc:
        return _cannot_start(command[0], exc)
    _in_background(_wait_for_lock, wanted, sharing, stop)
    _in_background(_wait_for_exit, child, stop)
    stop.wait()
    if child.poll() is None:
        _end(child, getattr(signal, signal_name), float(grace))
    _signal_group(child.pid, signal.SIGKILL)
    end_descendants()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _start(command: tuple[str, ...], user: str) -> subprocess.Popen[bytes]:
    options = _as_user(user)
    if sys.platform == "linux":
        import ctypes

        adopt_descendants()
        prctl = ctypes.CDLL(None).prctl
        options["preexec_fn"] = lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)


def adopt_descendants() -> None:
    """On Linux, become the parent of every descendant whose own parent ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _cannot_start(program: str, exc: Exception) -> int:
    """Say so as a task does, and give the exit code that a shell would give."""
    import json

    missing = isinstance(exc, FileNotFoundError)
    reason = f"there is no program {program!r}" if missing else f"cannot run {program!r}: {exc}"
    line = json.dumps({"event": "failed", "level": "error", "error": reason, "retryable": False})
    os.write(1, f"{line}\n".encode())
    return 127 if missing else 126


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
    if sys.platform == "linux":
        _reap_until(child.pid)
    child.wait()
    stop.set()


def _reap_until(pid: int) -> None:
    """Let adopted processes go as they end, or each would stay as a zombie, until this one has ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)) and ended.si_pid != pid:
            os.waitpid(ended.si_pid, 0)


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


def end_descendants() -> None:
    """Kill what has become our child because its parent is gone, until there is none."""
    spared: set[int] = set()
    while sys.platform == "linux" and (orphans := _children() - spared):
        for pid in orphans:
            if _is_launcher(pid) or not _killed(pid):
                spared.add(pid)


def _killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except PermissionError:
        return False
    except (ProcessLookupError, ChildProcessError):
        pass
    return True


def _children() -> set[int]:
    """The processes whose parent we are: in `stat` it stands behind the name, which may contain anything."""
    pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    fields = {pid: _read(f"/proc/{pid}/stat").rpartition(b")")[2].split() for pid in pids}
    return {pid for pid, values in fields.items() if values and int(values[1]) == os.getpid()}


def _is_launcher(pid: int) -> bool:
    return os.fsencode(__file__) in _read(f"/proc/{pid}/cmdline").split(b"\0")


def _read(path: str) -> bytes:
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDONLY)
        try:
            return os.read(file, 1 << 16)
        finally:
            os.close(file)
    return b""


def _in_background(function: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))

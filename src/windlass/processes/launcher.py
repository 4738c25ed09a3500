"""Starts one command and never lets it outlive whoever wanted it. Standard library only.

    python -I -S launcher.py WANTED shared|exclusive ALIVE|- SIGNAL GRACE UID:GID|- -- COMMAND [ARG …]

Whoever wants the command holds a lock (flock) on the file WANTED. The kernel releases it when that
process ends, however it ends, kill -9 included; the launcher waits for the lock, and takes its release
as the order to stop. `shared` is for a lock that one run holds exclusively, `exclusive` for one that
several users share: then the last of them counts. The launcher itself holds the lock ALIVE from before
the command starts until after it has ended, so others can tell that the command has somebody to stop it;
which process that is stands in it. It lets go of ALIVE before it lets go of WANTED.

To stop means SIGNAL to the command's process group and, after GRACE seconds, SIGKILL. What the command
leaves behind is killed, too: its group and, on Linux, every descendant but those that have a launcher of
their own. There the command also dies with a launcher that is itself killed. The launcher ends as the
command did: with its exit code, or by the signal that ended it; with 126 or 127, and a line of JSON, when
it cannot be started.

A number is another process's once the one that had it was waited for. So a group is signalled before its
leader is waited for, and an adopted process only while a pidfd holds it.
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

TYPE_CHECKING = False
if TYPE_CHECKING:  # each import takes a part of the time in which the command waits
    from collections.abc import Callable
    from typing import Any

REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # of Linux: man 2 prctl


def main(*arguments: str) -> int:
    stop = threading.Event()
    on_request(REQUESTS, stop.set)
    return launched(stop, *arguments)


def launched(
    stop: threading.Event,
    wanted: str,
    sharing: str,
    alive: str,
    signal_name: str,
    grace: str,
    user: str,
    _: str,
    *command: str,
) -> int:
    """Run the command until it ends, or shall end: then `stop` is set. Returns its exit code, or minus its signal."""
    ended = threading.Event()
    lock = _locked(alive) if alive != "-" else None
    waited_for = _opened(wanted)  # before there is a command, which may be removing it
    try:
        child = _start(command, user)
    except (OSError, ValueError) as exc:
        return _cannot_start(command[0], exc)
    if lock is not None:
        _note(lock, child.pid)
    if waited_for is not None:
        _in_background(_wait_for_lock, waited_for, sharing, stop)
    _in_background(_wait_for_exit, child.pid, ended, stop)
    stop.wait()
    _end_group(child.pid, ended, getattr(signal, signal_name), float(grace))
    code = child.wait()
    if sys.platform == "linux" and _has_children():  # as good as never
        end_descendants()
    if lock is not None:
        os.close(lock)  # before WANTED, which the kernel may release first: who waits for that counts on it
    return code


def on_request(numbers: tuple[int, ...], act: Callable[[], None]) -> None:
    """Do this, in a thread of its own, at each of these signals.

    Not in their handlers: one may run while the main thread holds the very lock of the Event that it would set, or
    only once the wait has ended that it should end. The byte is written at once.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda *_: None)

    def hear() -> None:
        while os.read(heard, 1):
            act()

    _in_background(hear)


def _start(command: tuple[str, ...], user: str) -> subprocess.Popen[bytes]:
    options = _as_user(user)
    if sys.platform == "linux":
        import ctypes

        adopt_descendants()
        prctl = ctypes.CDLL(None).prctl
        options["preexec_fn"] = lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)


def _locked(file: str) -> int:
    lock = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.ftruncate(lock, 0)  # it told of an earlier process
    return lock


def _note(lock: int, pid: int) -> None:
    """Write down which process the command is, as windlass.processes reads it."""
    if sys.platform == "linux":
        began = f"{_read('/proc/sys/kernel/random/boot_id').decode().strip()}:{_stat(pid)[19].decode()}"
    else:
        ps = ("ps", "-o", "lstart=", "-p", str(pid))
        began = subprocess.run(
            ps, capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
        ).stdout.strip()
    os.write(lock, f"{pid} {began}\n".encode())


def adopt_descendants() -> None:
    """On Linux, become the parent of every descendant whose own parent ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _cannot_start(program: str, exc: Exception) -> int:
    """Say so as a task does, and give the exit code that a shell would give."""
    import json

    found = _found(program)
    missing = isinstance(exc, FileNotFoundError)
    if missing and found is None:
        reason = f"there is no program {program!r}"
    else:
        reason = f"cannot run {program!r}: {_lacks_interpreter(str(found)) if missing else exc}"
    line = json.dumps(
        {"event": "failed", "level": "error", "error": reason, "code": "W0605", "retryable": False}
    )
    os.write(1, f"{line}\n".encode())
    return 127 if missing and found is None else 126


def _found(program: str) -> str | None:
    """The file that a program is, if it is there."""
    import shutil

    return shutil.which(program, os.F_OK)


def _lacks_interpreter(file: str) -> str:
    """Why the system finds no file although this one is there."""
    first = _read(file).partition(b"\n")[0]
    if not first.startswith(b"#!"):
        return "what it needs to start is not on this machine; is it a program for another system?"
    interpreter = first[2:].strip(b" \t").partition(b" ")[0].decode(errors="replace")
    advice = "; save it with Unix line ends (LF)" if interpreter.endswith("\r") else ""
    return f"its interpreter {interpreter!r} is not there{advice}"


def _as_user(user: str) -> dict[str, Any]:
    if user == "-":
        return {}
    uid, gid = map(int, user.split(":"))
    return {"user": uid, "group": gid, "extra_groups": []}


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # somebody has removed the folder, which whoever wanted the command finds out
        return None


def _wait_for_lock(file: int, sharing: str, stop: threading.Event) -> None:
    fcntl.flock(file, fcntl.LOCK_SH if sharing == "shared" else fcntl.LOCK_EX)
    stop.set()
    time.sleep(3600)  # the lock is kept until this process has ended


def _wait_for_exit(pid: int, ended: threading.Event, stop: threading.Event) -> None:
    """Notice the command's end, and leave it unwaited for: so its number, and its group's, stay its own."""
    if sys.platform == "linux":
        _reap_until(pid)
    elif hasattr(os, "waitid"):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    else:  # macOS has it since Python 3.13
        import select

        end = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        with contextlib.suppress(ProcessLookupError):  # it has ended before
            select.kqueue().control([end], 1)
    ended.set()
    stop.set()


def _reap_until(pid: int) -> None:
    """Let adopted processes go as they end, or each would stay as a zombie, until this one has ended."""
    while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)) and ended.si_pid != pid:
        os.waitpid(ended.si_pid, 0)


def _end_group(leader: int, ended: threading.Event, number: int, grace: float) -> None:
    """End the command, politely at first, and all of its group, while its leader has yet to be waited for."""
    if not ended.is_set():
        _signal_group(leader, number)
        ended.wait(grace)
    _signal_group(leader, signal.SIGKILL)
    ended.wait()


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _has_children() -> bool:
    """Whether there is any process to wait for; the system knows it at once, and `_children` looks at every process."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def end_descendants() -> None:
    """Kill what has become our child because its parent is gone, until there is none."""
    spared: set[int] = set()
    while sys.platform == "linux" and (orphans := _children() - spared):
        for pid in orphans:
            if _is_launcher(pid) or not _killed(pid):
                spared.add(pid)


def _killed(pid: int) -> bool:
    """Whether a child of ours has ended. Somebody else may have waited for it since we looked."""
    try:
        held = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except OSError:  # an old kernel
        return False
    try:
        if _parent(pid) == os.getpid():
            signal.pidfd_send_signal(held, signal.SIGKILL)
            os.waitid(os.P_PIDFD, held, os.WEXITED)
    except PermissionError:
        return False
    except (ProcessLookupError, ChildProcessError):
        pass
    finally:
        os.close(held)
    return True


def _children() -> set[int]:
    pids = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
    return {pid for pid in pids if _parent(pid) == os.getpid()}


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on, behind the name, which may contain anything."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


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


def _end_as(code: int) -> None:
    """End as the command did, so that whoever waits for us need not guess what a code above 128 means."""
    if code >= 0:
        os._exit(code)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one core is enough
    with contextlib.suppress(OSError, ValueError):  # nobody may say what SIGKILL does
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    os._exit(128 - code)


if __name__ == "__main__":
    _end_as(main(*sys.argv[1:]))

"""Which process is meant: a signal goes only to one that is proven to be it, at that very moment.

A process id alone says little: once its process has ended, the system gives the number to a stranger. So what
is noted of a process is its `Identity`, the number with the moment at which it began; and whoever wants to
signal a process first holds it. On Linux that is a pidfd (man 2 pidfd_open): what is then read below
/proc is of the very process that the signal goes to. Elsewhere `ps` and `lsof` tell, and the identity is looked at
once more right before the signal.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

from windlass.processes.environment import inherited

__all__ = [
    "Identity",
    "Process",
    "exit_status",
    "how_it_ended",
    "identity_of",
    "last_words",
    "signal_process",
]

_PROC = Path("/proc")
_POLL = 0.05


class Identity(NamedTuple):
    """A process, for good: its number, and when it began, in the system's own words."""

    pid: int
    began: str

    def __str__(self) -> str:
        return f"{self.pid} {self.began}"

    @classmethod
    def parse(cls, text: str) -> Identity | None:
        """What `str` made of one; None for anything else, such as a number alone."""
        pid, _, began = text.strip().partition(" ")
        return cls(int(pid), began) if pid.isdigit() and began else None


def identity_of(pid: int) -> Identity | None:
    """The process that has this number now; None when there is none."""
    began = _began(pid)
    return Identity(pid, began) if began else None


def signal_process(meant: Identity, number: int) -> bool:
    """Signal this process and no other. Returns whether it is still there."""
    with Process(meant.pid) as process:
        return process.identity == meant and process.signal(number)


def how_it_ended(code: int) -> str:
    """The end of a process in words. `code` is its exit code, or minus the signal that ended it.

    >>> how_it_ended(3), how_it_ended(-9)
    ('exit code 3', 'killed by SIGKILL')
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # one of those that have only a number
        return f"killed by signal {-code}"


def last_words(said: str, code: int, lines: int = 15) -> str:
    """What a process that has failed printed last, each line below the message that this is added to; how it
    ended, where it printed nothing.
    """
    shown = said.strip().splitlines()[-lines:]
    return "".join(f"\n    {line}" for line in shown) or f" {how_it_ended(code)}"


def exit_status(code: int) -> int:
    """The exit code that a shell has for it: 128 + signal where a signal ended the process."""
    return code if code >= 0 else 128 - code


class Process:
    """The process that has a number now, and stays the one that is meant until it is closed."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd: int | None = None
        self.identity: Identity | None = None
        """None when there is no such process."""

        with suppress(ProcessLookupError):
            self._fd = _held(pid)
            self.identity = identity_of(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def signal(self, number: int) -> bool:
        """Signal it. Returns whether it is there, and may be signalled."""
        if self.identity is None:
            return False
        try:
            if self._fd is not None:
                signal.pidfd_send_signal(self._fd, number)
            elif identity_of(self.pid) == self.identity:
                os.kill(self.pid, number)
            else:
                return False
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Wait for its end, for so long at most. Returns whether it has ended."""
        if self.identity is None:
            return True
        if self._fd is not None:
            end = select.poll()
            end.register(self._fd, select.POLLIN)
            return bool(end.poll(seconds * 1000))
        deadline = time.monotonic() + seconds
        while identity_of(self.pid) == self.identity:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    # --- what the system tells of it ---

    @property
    def arguments(self) -> tuple[str, ...]:
        """Its program and arguments; those with blanks in them in pieces, where only `ps` tells."""
        if _has_proc():
            return tuple(map(os.fsdecode, _read(self.pid, "cmdline").split(b"\0")))
        return tuple(_ps(self.pid, "command").split())

    @property
    def folder(self) -> Path | None:
        """The folder that it works in; None when the system does not tell."""
        if _has_proc():
            with suppress(OSError):
                return Path(os.readlink(_PROC / str(self.pid) / "cwd"))  # noqa: PTH115 - it may be gone by now
            return None
        told = _told_by("lsof", "-a", "-d", "cwd", "-F", "n", "-p", str(self.pid))
        return next((Path(line[1:]) for line in told.splitlines() if line.startswith("n")), None)

    @property
    def owner(self) -> int | None:
        """The id of the user whose it is."""
        if _has_proc():
            with suppress(OSError):
                return (_PROC / str(self.pid)).stat().st_uid
            return None
        told = _ps(self.pid, "uid")
        return int(told) if told.isdigit() else None

    @property
    def parent(self) -> int:
        """The number of the process that it belongs to; 0 when that is not known."""
        fields = _stat(self.pid)
        return int(fields[1]) if len(fields) > 1 else 0

    @property
    def environment(self) -> tuple[str, ...]:
        """The `NAME=value` that it was started with; nothing when the system does not tell."""
        return tuple(map(os.fsdecode, _read(self.pid, "environ").split(b"\0")))


def _held(pid: int) -> int | None:
    """A pidfd; None where the system has none to give. Raises ProcessLookupError when there is no such process."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):  # another system, an old kernel, a container that forbids it
        return None


@cache
def _has_proc() -> bool:
    return sys.platform == "linux"


def _began(pid: int) -> str:
    """When a process began, in words that no later process of that number has; nothing when there is none."""
    if not _has_proc():
        return _ps(pid, "lstart")
    fields = _stat(pid)
    return f"{_boot()}:{fields[19]}" if len(fields) > 19 else ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, behind the name, which may contain anything."""
    return _read(pid, "stat").rpartition(b")")[2].decode().split()


@cache
def _boot() -> str:
    """Which start of the machine this is: the ticks of a process count from there."""
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""


def _read(pid: int, name: str) -> bytes:
    with suppress(OSError):
        return (_PROC / str(pid) / name).read_bytes()
    return b""


def _ps(pid: int, field: str) -> str:
    return _told_by("ps", "-ww", "-o", f"{field}=", "-p", str(pid)).strip()


def _told_by(*command: str) -> str:
    with suppress(OSError):
        told = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**inherited(os.environ), "LC_ALL": "C"}
        )
        return told.stdout
    return ""

"""Locks on files, which tell who is alive: the kernel releases one however its holder ends (docs/adr/0002).

A lock lasts as long as its open file: close that to let go, or hand it to another process to keep.
"""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from windlass.errors import Code, FatalError

__all__ = ["flock", "has_owner", "has_users", "locked", "take", "try_to_take"]


def take(file: Path, *, shared: bool = False) -> IO[str]:
    """Wait for the lock, and hold it. The file is made if it is missing, and keeps its content."""
    lock = _opened(file)
    _asked(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    return lock


def try_to_take(file: Path, *, shared: bool = False) -> IO[str] | None:
    """The lock, held; None when somebody else has it."""
    lock = _opened(file)
    if _asked(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB):
        return lock
    lock.close()
    return None


@contextmanager
def locked(file: Path, *, shared: bool = False) -> Iterator[IO[str]]:
    """Hold the lock inside the block."""
    with take(file, shared=shared) as lock:
        yield lock


def has_owner(file: Path) -> bool:
    """Whether somebody holds the lock alone. Several may ask at the same time."""
    return _is_refused(file, "r", fcntl.LOCK_SH)


def has_users(file: Path) -> bool:
    """Whether anybody holds the lock, alone or with others. Who asks at the same time counts, too."""
    return _is_refused(file, "r+", fcntl.LOCK_EX)


def _is_refused(file: Path, mode: str, kind: int) -> bool:
    try:
        with file.open(mode) as lock:
            return not flock(lock.fileno(), kind | fcntl.LOCK_NB, file)
    except FileNotFoundError:
        return False


def _opened(file: Path) -> IO[str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.open("a+")


def _asked(lock: IO[str], kind: int) -> bool:
    try:
        return flock(lock.fileno(), kind, lock.name)
    except BaseException:
        lock.close()
        raise


def flock(descriptor: int, kind: int, path: object) -> bool:
    """Whether the lock was given, on what is open. Raises FatalError where the file system has none."""
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        return False
    except OSError as exc:
        if exc.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            hint = "use a disk of this machine, or mount the share with locks"
            message = f"cannot lock {path}, so nobody could tell who is at work there: {exc.strerror}"
            raise FatalError(message, hint=hint, code=Code.REFUSED_BY_SYSTEM) from exc
        raise
    return True

"""The locks of the stack (docs/adr/0002-locks-tell-who-is-alive.md)."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from windlass.errors import FatalError, RetryableError
from windlass.processes import Identity, identity_of
from windlass.stack.layout import Layout

__all__ = ["holder", "is_free", "supervising"]

_PATIENCE, _POLL = 20.0, 0.2


@contextmanager
def supervising(layout: Layout) -> Iterator[None]:
    """Be the one supervisor of this project, and of this home; wait until nothing is left of an earlier one."""
    with ExitStack() as held:
        alive = held.enter_context(layout.supervisor_lock.open("a+"))
        if not _taken(alive):
            raise FatalError("the stack is up already", hint="see: windlass status")
        alive.truncate(0)
        alive.write(str(identity_of(os.getpid())))
        alive.flush()
        if not _taken(held.enter_context(layout.home_lock.open("a"))):
            raise FatalError(f"{layout.home} is in use by another project that is up")
        wanted = held.enter_context(layout.lock.open("a"))
        deadline = time.monotonic() + _PATIENCE
        while not _taken(wanted):
            if time.monotonic() > deadline:
                raise RetryableError("what ran here before has not ended yet")
            time.sleep(_POLL)
        yield


def holder(lock: Path) -> Identity | None:
    """The process that has noted itself in the lock of a supervisor; None when it has not, or there is none."""
    return None if is_free(lock) else Identity.parse(lock.read_text())


def is_free(lock: Path) -> bool:
    """Whether nobody holds the lock."""
    if not lock.exists():
        return True
    with lock.open("a") as file:
        return _taken(file)


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""The locks of the stack (docs/adr/0002-locks-tell-who-is-alive.md)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from windlass.errors import FatalError, RetryableError
from windlass.locks import has_users, try_to_take
from windlass.processes import Identity, identity_of
from windlass.stack.layout import Layout

__all__ = ["holder", "is_free", "supervising"]

_PATIENCE, _POLL = 20.0, 0.2


@contextmanager
def supervising(layout: Layout) -> Iterator[None]:
    """Be the one supervisor of this project, and of this home; wait until nothing is left of an earlier one."""
    with ExitStack() as held:
        alive = try_to_take(layout.supervisor_lock)
        if alive is None:
            raise FatalError("the stack is up already", hint="see: windlass status")
        held.enter_context(alive)
        alive.truncate(0)
        alive.write(str(identity_of(os.getpid())))
        alive.flush()
        home = try_to_take(layout.home_lock)
        if home is None:
            raise FatalError(f"{layout.home} is in use by another project that is up")
        held.enter_context(home)
        deadline = time.monotonic() + _PATIENCE
        while (wanted := try_to_take(layout.lock)) is None:
            if time.monotonic() > deadline:
                raise RetryableError("what ran here before has not ended yet")
            time.sleep(_POLL)
        with wanted:
            yield


def holder(lock: Path) -> Identity | None:
    """The process that has noted itself in the lock of a supervisor; None when it has not, or there is none."""
    return None if is_free(lock) else Identity.parse(lock.read_text())


def is_free(lock: Path) -> bool:
    """Whether nobody holds the lock."""
    return not has_users(lock)

"""Garbage of commands that end soon."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keeping_garbage"]


@contextmanager
def keeping_garbage() -> Iterator[None]:
    """Look for no garbage meanwhile. What a command makes of a large project it has until it ends, and to look through it again
    and again takes a sixth of the time."""
    was_looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_looking:
            gc.enable()

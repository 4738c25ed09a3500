"""The loop of a run: one thread decides, others do the work and tell it what became of that."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeAlias

__all__ = ["Event", "Loop", "Threads"]

Event: TypeAlias = Callable[[], None]
"""What the deciding thread is to do next."""


_LOOK_UP = 1.0


class Loop(Protocol):
    """Work beside the deciding thread, and the events that it leads to."""

    def work(self, name: str, action: Callable[[], None]) -> None:
        """Do this beside everything else."""

    def tell(self, event: Event) -> None:
        """Have the deciding thread do this. From any thread, and from a signal handler."""

    def next(self) -> Event:
        """Wait for the next event."""


class Threads:
    """A thread for each piece of work. Implements `Loop`."""

    def __init__(self) -> None:
        # not a Queue: its lock may be held by the very thread that a signal interrupts
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def work(self, name: str, action: Callable[[], None]) -> None:
        threading.Thread(target=action, name=name, daemon=True).start()

    def tell(self, event: Event) -> None:
        self._events.put(event)

    def next(self) -> Event:
        while True:  # a signal that comes right before the wait is looked at only after it
            with suppress(queue.Empty):
                return self._events.get(timeout=_LOOK_UP)

"""The clock of a run: when it is, and waiting. A test hands in one of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "timestamp"]


class Clock(Protocol):
    """Asked for the time by everything that a run does."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def elapsed(self) -> float:
        """Seconds since some moment, whatever is done to the time meanwhile."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait so long, or until the event is set. Returns whether it is."""

    def call_later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Call the action after so long, in a thread of its own, unless what is returned is called before."""


class SystemClock:
    """The time of this machine. Implements `Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)

    def call_later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()
        return timer.cancel


def timestamp(moment: datetime) -> str:
    """As history has it."""
    return moment.isoformat(timespec="milliseconds")

"""Waiting for a turn: loads of one destination that cannot go side by side follow each other.

Who is at work is known in another way to each kind of destination. Here is how long a load waits for others, and
what it says meanwhile.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress

from windlass import logs
from windlass.errors import Code, RetryableError, UsageError, WindlassError

__all__ = ["Heartbeat", "InUseError", "SignsOfLife", "Waiting"]

_VARIABLE = "WINDLASS_WAIT_FOR_TURN"
_PATIENCE = 3600.0  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_SAY_AGAIN = 60.0
_SHOWN = 3
_BEATS = 10  # signs of life, within the silence after which a load is gone


class InUseError(RetryableError):
    """Another process has what a load needs alone: it may wait for its turn, where it would not for space on a disk."""


class Waiting:
    """The time that one load waits for its turn at a destination."""

    def __init__(self, destination: object) -> None:
        self._destination, self._patience = destination, _patience()
        self._began = time.monotonic()
        self._says_again, self._pause = self._began, _FIRST_PAUSE

    def pause(self, others: Sequence[str]) -> None:
        """Wait a moment more for these others. Raises RetryableError when that was long enough."""
        now = time.monotonic()
        if now - self._began >= self._patience:
            raise self._gives_up(others)
        if now >= self._says_again:
            logs.info("waits_for_turn", destination=str(self._destination), behind=list(others))
            self._says_again = now + _SAY_AGAIN
        time.sleep(min(self._pause, self._patience))
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)

    def _gives_up(self, others: Sequence[str]) -> RetryableError:
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        return RetryableError(
            f"{self._destination} is being loaded by {shown or 'somebody else'}, and {self._patience:g} s were not "
            "enough for it to end",
            hint=f"try again later; {_VARIABLE} says how many seconds a load waits for its turn",
            code=Code.NO_TURN,
        )


class Heartbeat:
    """Gives signs of life of a load, for others where nobody tells who is connected, until it is stopped."""

    def __init__(self, silence: float, beat: Callable[[], None]) -> None:
        self._silence, self._beat = silence, beat
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _live(self) -> None:
        while not self._ended.wait(self._silence / _BEATS):
            with suppress(WindlassError):  # the next one may arrive
                self._beat()


class SignsOfLife:
    """Watches for those who give no sign of life any more, by a clock of its own."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._seen: dict[Hashable, tuple[object, float]] = {}

    def are_missing(self, who: Hashable, signs: object) -> bool:
        """Whether nothing new has come for so long."""
        now = time.monotonic()
        last, since = self._seen.get(who, (None, now))
        if signs != last or who not in self._seen:
            self._seen[who], since = (signs, now), now
        return now - since >= self._silence


def _patience() -> float:
    text = os.environ.get(_VARIABLE, "")
    try:
        seconds = float(text or _PATIENCE)
    except ValueError:
        seconds = -1
    if not seconds >= 0:
        raise UsageError(f"{_VARIABLE}={text}: expected a number of seconds")
    return seconds

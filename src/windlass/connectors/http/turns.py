"""Whose turn it is to ask: the calls that were made, of one reader or of all tasks of a run on this machine.

A turn is taken before it is waited for, so that whoever comes next gets a later one.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Protocol

from windlass.connectors.http.options import RateLimit
from windlass.locks import locked

__all__ = ["OwnTurns", "SharedTurns", "Turns"]


class Turns(Protocol):
    """Calls in the order of their times. Several threads may ask."""

    def take(self, limit: RateLimit, longest: float) -> float:
        """The seconds until the next turn, which is taken if they are no more than `longest`."""

    def hold(self, seconds: float) -> None:
        """Give no turn for so long."""

    def is_held(self) -> bool: ...


class OwnTurns:
    """Those of one reader. Implements `Turns`."""

    def __init__(self, limit: RateLimit) -> None:
        self._calls: deque[float] = deque(maxlen=limit.calls or 1)
        self._not_before = 0.0
        self._deciding = threading.Lock()

    def take(self, limit: RateLimit, longest: float) -> float:
        with self._deciding:
            now = time.monotonic()
            full = limit.calls is not None and len(self._calls) == limit.calls
            seconds = max(self._not_before, self._calls[0] + limit.per if full else 0.0, now) - now
            if seconds <= longest:
                self._calls.append(now + seconds)
        return seconds

    def hold(self, seconds: float) -> None:
        with self._deciding:
            self._not_before = time.monotonic() + seconds

    def is_held(self) -> bool:
        return self._not_before > time.monotonic()


_HEAD = struct.Struct(
    "<qdd"
)  # how many calls there were, before which time there is no turn, and when this was noted
_CALL = struct.Struct("<d")
_TOLERATED = 1.0  # seconds, by which the clocks of machines that share the file may differ


class SharedTurns:
    """Those of all who name the same file: the times of the last calls, one behind the other, the oldest overwritten.

    Times are those of the clock, which processes share; one that is set back takes them along. Implements `Turns`.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, file.with_suffix(".lock")

    def take(self, limit: RateLimit, longest: float) -> float:
        with locked(self._lock), self._opened() as file:
            now, (made, not_before) = time.time(), _head(file)
            place = _HEAD.size + _CALL.size * (made % (limit.calls or 1))
            full = limit.calls is not None and made >= limit.calls
            free = _CALL.unpack(_read(file, place, _CALL.size))[0] + limit.per if full else 0.0
            seconds = float(max(not_before, free, now) - now)
            if seconds <= longest:
                _write(file, place, _CALL.pack(now + seconds))
                _write(file, 0, _HEAD.pack(made + 1, not_before, now))
        return seconds

    def hold(self, seconds: float) -> None:
        with locked(self._lock), self._opened() as file:
            made, _ = _head(file)
            _write(file, 0, _HEAD.pack(made, time.time() + seconds, time.time()))

    def is_held(self) -> bool:
        with locked(self._lock), self._opened() as file:
            return _head(file)[1] > time.time()

    def _opened(self) -> IO[bytes]:
        self._file.touch()
        return self._file.open("r+b")


def _head(file: IO[bytes]) -> tuple[int, float]:
    """How many calls there were, and before which time there is no turn, by the clock as it is now."""
    data = _read(file, 0, _HEAD.size)
    if len(data) < _HEAD.size:
        return 0, 0.0
    made, not_before, noted = _HEAD.unpack(data)
    if (back := noted - time.time()) > _TOLERATED:
        _set_back(file, back)
        return made, not_before - back
    return made, not_before


def _set_back(file: IO[bytes], seconds: float) -> None:
    """Move all times as far as the clock was."""
    made, not_before, noted = _HEAD.unpack(_read(file, 0, _HEAD.size))
    _write(file, 0, _HEAD.pack(made, not_before - seconds, noted - seconds))
    file.seek(_HEAD.size)
    calls = file.read()
    whole = calls[: len(calls) // _CALL.size * _CALL.size]
    _write(file, _HEAD.size, b"".join(_CALL.pack(at - seconds) for (at,) in _CALL.iter_unpack(whole)))


def _read(file: IO[bytes], place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


def _write(file: IO[bytes], place: int, data: bytes) -> None:
    file.seek(place)
    file.write(data)
    file.flush()

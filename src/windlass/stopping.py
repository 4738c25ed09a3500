"""Being asked to stop: by Ctrl-C, by SIGTERM (a scheduler, `docker stop`, a machine that shuts down), by a terminal
that closes.

The first request raises StoppedError in the main thread, wherever that is; the others are ignored, so that nothing
disturbs the cleaning up. A driver may put an error of its own in the place of ours, so whoever tells how a command
ended asks `in_place_of` what did it. Imports next to nothing: this has to be there before anything else is.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

__all__ = [
    "StoppedError",
    "ended_soon",
    "ignore_requests",
    "in_place_of",
    "stop_later",
    "stop_when_asked",
    "tell_when_asked",
    "told_at_once",
]

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SOON = 0.05
_LONGEST_END = 8.0  # seconds: `docker stop` kills after 10, Kubernetes after 30


class StoppedError(BaseException):
    """Somebody asked windlass to stop.

    Like KeyboardInterrupt it is not an Exception: whoever forgives an error must not forgive this.
    """

    def __init__(self, number: int) -> None:
        how = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        super().__init__(f"stopped by {how}")
        self.number, self.exit_code = number, 128 + number


_asked: StoppedError | None = None
_blocks = 0  # how many `stop_later` the main thread is in
_waits = False
_told: list[Callable[[], object]] = []  # by `told_at_once`
_wakeup: list[int] = []  # the two ends of what a signal writes to
_is_command = False  # whether it is ours to say when the process ends
_heard = 0  # the first request


def stop_when_asked() -> None:
    """From now on a request raises StoppedError in the main thread. What `nohup` or a shell ignores stays ignored."""
    global _is_command
    sys.unraisablehook = _not_raised
    _is_command = True
    _listen(_stop)


def in_place_of(exc: BaseException) -> BaseException:
    """What really ended the command: the request to stop, if there was one, else this."""
    return _asked or exc


@contextmanager
def tell_when_asked(tell: Callable[[int], None]) -> Iterator[None]:
    """In this block tell of each request, by its signal, instead of raising. Does nothing but in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _listen(lambda number, _frame: tell(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def told_at_once(tell: Callable[[], object]) -> Iterator[None]:
    """In this block a request also calls `tell`, in a thread of its own.

    For what blocks: Python raises nothing in the main thread while that is in a library, which may wait for a thread that waits
    for a server. Does nothing but in the main thread.
    """
    if threading.current_thread() is threading.main_thread() and not _wakeup:
        _watch()
    _told.append(tell)
    try:
        yield
    finally:
        _told.remove(tell)


@contextmanager
def ended_soon() -> Iterator[None]:
    """In this block a request to stop ends the process after some seconds, wherever it is: in a driver that waits for a server, or in
    cleaning up that does. What that leaves is what a killed process leaves, and so the next start removes it. Does nothing where
    the process is not a command of ours.
    """
    if not _is_command:
        yield
        return
    end = threading.Timer(_LONGEST_END, _end)
    end.daemon = True
    with told_at_once(end.start):
        try:
            yield
        finally:
            end.cancel()


def _end() -> None:
    asked = StoppedError(_heard)
    said = f"{asked}; it was waiting for something that did not come within {_LONGEST_END:.0f} s\n"
    os.write(2, said.encode())
    os._exit(asked.exit_code)


def _watch() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _wakeup.extend((reader, writer))
    threading.Thread(target=_tell_each, args=(reader,), name="stopping", daemon=True).start()


def _tell_each(reader: int) -> None:
    global _heard
    while numbers := os.read(reader, 64):
        if (request := next((number for number in numbers if number in _REQUESTS), None)) is not None:
            _heard = _heard or request
            for tell in _told.copy():
                with suppress(Exception):
                    tell()


def _forget() -> None:
    """A child of a fork has neither the thread nor what blocks, and may not tell those of its parent."""
    if _wakeup:
        signal.set_wakeup_fd(-1)
        for end in _wakeup:
            os.close(end)
        _wakeup.clear()
        _told.clear()


os.register_at_fork(after_in_child=_forget)


@contextmanager
def stop_later() -> Iterator[None]:
    """Let a request wait until the end of the block: for the short moment in which something comes to be, and
    it is not yet known to whoever would remove it.
    """
    global _blocks
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _blocks += 1
    try:
        yield
    finally:
        _blocks -= 1
        if _waits and not _blocks:
            _raise()


def ignore_requests() -> None:
    """From now on let nothing disturb the end."""
    for number in _REQUESTS:
        signal.signal(number, signal.SIG_IGN)


def _listen(handler: Callable[[int, FrameType | None], object]) -> dict[int, Any]:
    heard = [number for number in _REQUESTS if signal.getsignal(number) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in heard}


def _stop(number: int, _frame: FrameType | None) -> None:
    global _asked, _waits
    if _asked is None:
        _asked, _waits = StoppedError(number), _blocks > 0
        if not _waits:
            _raise()


def _raise() -> None:
    global _waits
    _waits = False
    assert _asked is not None
    raise _asked


def _not_raised(lost: sys.UnraisableHookArgs) -> None:
    """Ask again when a request came just where Python cannot raise anything, such as in a destructor."""
    global _asked
    if not isinstance(lost.exc_value, StoppedError):
        sys.__unraisablehook__(lost)
        return
    number, _asked = lost.exc_value.number, None
    again = threading.Timer(_SOON, interrupt_main, [number])
    again.daemon = True
    again.start()

"""How often an API lets itself be asked: so many calls in a time, and what its answers say is left."""

from __future__ import annotations

import http
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime

from windlass import logs
from windlass.connectors.http.options import RateLimit
from windlass.errors import Code, RetryableError

__all__ = ["NO_LIMIT", "Pace"]

_A_MOMENT = 1e9  # a number that is larger is seconds since 1970, and no wait
_IN_MILLISECONDS = 1e11


class Pace:
    """The budget of one reader. Several threads may ask."""

    def __init__(self, limit: RateLimit | None, pause: Callable[[float], None] | None = None) -> None:
        self._limit, self._pause = limit, pause
        self._calls: deque[float] = deque(maxlen=(limit.calls or 1) if limit else 1)
        self._not_before = 0.0
        self._deciding = threading.Lock()

    def wait(self, longest: float) -> float:
        """Wait for the next turn; how long that was. Raises RetryableError when that is further away than `longest`
        seconds.
        """
        if self._limit is None:
            return 0.0
        with self._deciding:
            now = time.monotonic()
            seconds = max(self._not_before, self._next_call(self._limit)) - now
            if seconds > longest:
                raise _too_long(seconds, longest)
            self._calls.append(now + max(0.0, seconds))
        if seconds > 0:
            logs.info("rate_limit", seconds=round(seconds, 3))
            (self._pause or time.sleep)(seconds)
        return max(0.0, seconds)

    def note(self, headers: Message) -> None:
        """What an answer says is left."""
        names = self._limit.headers if self._limit else None
        if names is None or str(headers.get(names.remaining, "")).strip() != "0":
            return
        seconds = _seconds(str(headers.get(names.reset, "")).strip())
        with self._deciding:
            self._not_before = time.monotonic() + (seconds or 0.0)

    def is_used_up(self, status: int) -> bool:
        """Whether a refusal only means that nothing is left: some say 403 for that."""
        return status == http.HTTPStatus.FORBIDDEN and self._not_before > time.monotonic()

    def _next_call(self, limit: RateLimit) -> float:
        full = limit.calls is not None and len(self._calls) == limit.calls
        return self._calls[0] + limit.per if full else 0.0


NO_LIMIT = Pace(None)


def _seconds(reset: str) -> float | None:
    """How long it is until a reset: said in seconds, as a moment in seconds or milliseconds, or as a date."""
    try:
        number = float(reset)
    except ValueError:
        try:
            moment = parsedate_to_datetime(reset)
        except ValueError:
            return None
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - _now())
    if number > _IN_MILLISECONDS:
        number /= 1000
    return max(0.0, number - _now() if number > _A_MOMENT else number)


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _too_long(seconds: float, longest: float) -> RetryableError:
    hint = f"`retry.max_wait` is {longest:g} s: let it be longer, or run the task again later"
    message = f"the rate limit of the API is used up for another {seconds:.0f} s"
    return RetryableError(message, hint=hint, code=Code.API_ANSWER)

"""How often an API lets itself be asked: so many calls in a time, and what its answers say is left."""

from __future__ import annotations

import http
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path

from msgspec import structs

from windlass import logs, pauses
from windlass.connectors.http.options import RateLimit
from windlass.connectors.http.turns import OwnTurns, SharedTurns, Turns
from windlass.errors import Code, RetryableError

__all__ = ["NO_LIMIT", "Pace", "turns_of"]

_A_MOMENT = 1e9  # a number that is larger is seconds since 1970, and no wait
_IN_MILLISECONDS = 1e11


class Pace:
    """The budget of one reader, or one that it shares with others. Several threads may ask."""

    def __init__(
        self,
        limit: RateLimit | None,
        pause: Callable[[float], None] | None = None,
        shared: Path | None = None,
    ) -> None:
        if limit is not None and pauses.are_skipped():
            limit = structs.replace(limit, calls=None)  # whoever has not waited would be ever further behind
        self._limit, self._pause = limit, pause
        self._turns: Turns | None = None
        if limit is not None:
            self._turns = SharedTurns(shared) if shared is not None else OwnTurns(limit)

    def wait(self, longest: float) -> float:
        """Wait for the next turn; how long that was, if pauses are taken. Raises RetryableError when that is further away than `longest`
        seconds.
        """
        if self._limit is None or self._turns is None:
            return 0.0
        seconds = self._turns.take(self._limit, longest)
        if seconds > longest:
            raise _too_long(seconds, longest)
        if seconds > 0:
            logs.info("rate_limit", seconds=round(seconds, 3))
            if pauses.are_skipped():
                self._turns.hold(0.0)
                return 0.0
            (self._pause or time.sleep)(seconds)
        return seconds

    def note(self, headers: Message) -> None:
        """What an answer says is left."""
        names = self._limit.headers if self._limit else None
        if names is None or self._turns is None or str(headers.get(names.remaining, "")).strip() != "0":
            return
        self._turns.hold(_seconds(str(headers.get(names.reset, "")).strip()) or 0.0)

    def is_used_up(self, status: int) -> bool:
        """Whether a refusal only means that nothing is left: some say 403 for that."""
        return status == http.HTTPStatus.FORBIDDEN and self._turns is not None and self._turns.is_held()


NO_LIMIT = Pace(None)


def turns_of(shared: Path, connection: str) -> Path:
    """Where the tasks of a run keep how often they have asked a connection."""
    return shared / f"{connection}.turns"


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

"""The requests that a task made to web servers: how many, what became of them, and the first and last of them.

Everything that asks goes through web.py, which notes each request here as soon as somebody keeps a log. A task is a
process of its own, so there is one log at a time; threads share it. Addresses are those that people may see.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

__all__ = ["LoggedRequest", "RequestLog", "keeping_requests", "note_request"]

_KEPT = 20
_LONGEST = 500
_NO_ANSWER = "none"


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """One request, and how its answer came."""

    method: str
    url: str
    status: int | None
    """None where no answer came."""

    bytes: int
    """Of the body, as they came over the network."""

    ms: int
    """Until the answer was read to its end."""

    waited: float
    """The seconds before it, for a rate limit or another attempt."""


class RequestLog:
    """Totals of all requests, and the first and the last few of them. Several threads may add."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._bytes, self._ms, self._waited = 0, 0, 0.0
        self._statuses = Counter[str]()
        self._first: list[LoggedRequest] = []
        self._last: deque[LoggedRequest] = deque(maxlen=_KEPT)

    def add(self, request: LoggedRequest) -> None:
        with self._adding:
            self._bytes += request.bytes
            self._ms += request.ms
            self._waited += request.waited
            self._statuses[str(request.status or _NO_ANSWER)] += 1
            (self._first if len(self._first) < _KEPT else self._last).append(request)

    def as_detail(self) -> dict[str, object]:
        """What the detail of a task has as `requests`; nothing where there were none."""
        with self._adding:
            if not self._first:
                return {}
            totals = {
                "count": self._statuses.total(),
                "statuses": dict(sorted(self._statuses.items())),
                "bytes": self._bytes,
                "seconds": round(self._ms / 1000, 3),
                "waited": round(self._waited, 3),
            }
            kept = [asdict(request) for request in (*self._first, *self._last)]
            return {"requests": {**totals, "kept": kept}}


_log: RequestLog | None = None


@contextmanager
def keeping_requests() -> Iterator[RequestLog]:
    """Keep a log of all requests that this process makes inside the block."""
    global _log
    before, _log = _log, RequestLog()
    try:
        yield _log
    finally:
        _log = before


def note_request(
    method: str, url: str, *, status: int | None, size: int, seconds: float, waited: float
) -> None:
    """Put a request into the log that is kept, if there is one."""
    if _log is not None:
        shown = url if len(url) <= _LONGEST else f"{url[: _LONGEST - 1]}…"
        _log.add(
            LoggedRequest(
                method=method,
                url=shown,
                status=status,
                bytes=size,
                ms=round(seconds * 1000),
                waited=round(waited, 3),
            )
        )

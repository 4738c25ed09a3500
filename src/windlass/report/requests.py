"""The requests of a task: totals, and the first and the last of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

__all__ = ["RequestRow", "Requests", "requests_of"]

_NO_ANSWER = "no answer"


class RequestRow(Struct, frozen=True):
    """One request. `gap` is how many before it are not told."""

    method: str
    url: str
    status: str
    ok: bool
    bytes: int
    ms: int
    waited: float
    gap: int = 0


class Requests(Struct, frozen=True):
    """What a task asked of web servers."""

    count: int
    statuses: tuple[tuple[str, int], ...]
    """Each status, with how often it came."""

    bytes: int
    seconds: float
    waited: float
    rows: tuple[RequestRow, ...]


def requests_of(detail: Mapping[str, Any] | None) -> Requests | None:
    """What the detail of a task tells; None where it tells nothing, or not in the way that windlass does."""
    try:
        return _requests_of(detail) if detail else None
    except (KeyError, TypeError, ValueError, AttributeError):  # a step may say anything
        return None


def _requests_of(detail: Mapping[str, Any]) -> Requests:
    count, kept = int(detail["count"]), detail["kept"]
    rows = [_row(request, 0) for request in kept]
    if (untold := count - len(rows)) > 0:
        middle = len(rows) // 2
        rows[middle] = _row(kept[middle], untold)
    return Requests(
        count=count,
        statuses=tuple((_status(status), int(times)) for status, times in detail["statuses"].items()),
        bytes=int(detail["bytes"]),
        seconds=float(detail["seconds"]),
        waited=float(detail["waited"]),
        rows=tuple(rows),
    )


def _row(request: Mapping[str, Any], gap: int) -> RequestRow:
    status = request["status"]
    return RequestRow(
        method=str(request["method"]),
        url=str(request["url"]),
        status=_status(status),
        ok=isinstance(status, int) and status < 400,
        bytes=int(request["bytes"]),
        ms=int(request["ms"]),
        waited=float(request["waited"]),
        gap=gap,
    )


def _status(status: object) -> str:
    return _NO_ANSWER if status in (None, "none") else str(status)

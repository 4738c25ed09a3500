"""What an InfluxDB answers: rows, and what is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from windlass.errors import Code, FatalError, RetryableError, WindlassError
from windlass.web import AnswerError, NotNowError

__all__ = ["NoRouteError", "RefusedPointsError", "Series", "error_of", "series_in"]

_NOT_LET_IN = (401, 403)
_NO_ROUTE = (404, 405, 501)
_REFUSES_POINTS = (400, 413, 422)
_LONGEST = 2_000  # characters of what a server says


class RefusedPointsError(FatalError):
    """Some points of a request cannot be written. Of the others it is not known whether they are."""

    is_too_large = False
    """The request as a whole is."""


class NoRouteError(FatalError):
    """The server has no such interface."""

    code = Code.NO_TABLE


@dataclass(frozen=True)
class Series:
    """Rows that a query gives: those of one measurement, or of one group of it."""

    name: str
    tags: dict[str, str]
    columns: list[str]
    values: list[list[Any]]
    is_partial: bool = False
    """More of the same follows in the answer."""

    def rows(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.values]


def series_in(answer: bytes, where: str) -> list[Series]:
    """What one JSON document of an answer has; whole numbers are exact. Raises FatalError for what is wrong."""
    document = json.loads(answer)
    _require_right(document, where)
    found = []
    for result in document.get("results", ()):
        _require_right(result, where)
        for each in result.get("series", ()):
            tags, values = each.get("tags") or {}, each.get("values") or []
            goes_on = each.get("partial", False) or result.get("partial", False)
            found.append(Series(each.get("name", ""), tags, each["columns"], values, goes_on))
    return found


def _require_right(document: dict[str, Any], where: str) -> None:
    said = document.get("error")
    if said is None:
        return
    if "not found" in said:
        raise FatalError(f"influxdb at {where}: {said}", code=Code.NO_TABLE)
    if "engine is closed" in said:  # while the server ends, or drops another database
        raise RetryableError(f"influxdb at {where}: {said}")
    raise FatalError(f"influxdb at {where}: {said}")


def error_of(
    exc: AnswerError | NotNowError, where: str, path: str, target: str, *, is_v2: bool
) -> WindlassError:
    """The error with what the server says, and what to do about it."""
    server, refusal = f"influxdb at {where}", exc.refusal
    if refusal is None:
        refuses = "refused" in exc.message
        return NotNowError(exc.message, code=Code.CONNECTION_REFUSED if refuses else Code.CONNECTION_LOST)
    status, said = refusal.status, _said(refusal.body)
    if status in _NOT_LET_IN:
        hint = f"look at {'the token' if is_v2 else 'user and password'}, and whether {target} may be read and written"
        return FatalError(f"{server} does not let us in: {said}", hint=hint, code=Code.NOT_LET_IN)
    if status in _NO_ROUTE and ("page not found" in said or "not found" not in said):
        other = "a database" if is_v2 else "`?bucket=…`"
        hint = f"is it of another version? The address can name {other} instead"
        return NoRouteError(f"{server} has no {path}", hint=hint)
    if "not found" in said:  # a database, bucket, organisation or retention policy; some with the status 500
        return FatalError(f"{server}: {said}", hint=f"windlass does not make {target}", code=Code.NO_TABLE)
    if isinstance(exc, NotNowError):
        busy = NotNowError(f"{exc.message}: {said}", code=Code.CONNECTION_LOST)
        busy.wait = exc.wait
        return busy
    if status in _REFUSES_POINTS:
        refused = RefusedPointsError(f"{server}: {said}")
        refused.is_too_large = status == 413
        return refused
    return FatalError(f"{server} answered {status}: {said}")


def _said(body: bytes) -> str:
    """The words of an error: version 1 has them as `error`, version 2 as `message`, version 3 also with each line."""
    text = body.decode("utf-8", "replace").strip()
    try:
        found = json.loads(text)
        said = found.get("message") or found.get("error")
        if isinstance(found.get("data"), list) and found["data"]:
            said = f"{said}: {found['data'][0].get('error_message', '')}"
    except (ValueError, AttributeError):
        said = text
    return str(said or "no reason is given")[:_LONGEST]

"""What an API is told of the last load, so that it sends only what may be new: from when, or from which number, and, where
it wants to know that too, until when.

It is a bound and no more: what comes is still told apart by the cursor (`connectors/cursors.py`), so an API that sends
too much does no harm. So times are rounded down, and the bound lies `lookback`, and one second, day or number more,
below the highest value: some APIs mean "from then on", others "after that", and would leave out what came at the same time.
Windows overlap by as much, for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from windlass.connectors import source
from windlass.connectors.cursors import Mark
from windlass.connectors.http.options import Since
from windlass.errors import FatalError
from windlass.units import parse_duration

__all__ = ["Span", "bound", "spans"]

Bound: TypeAlias = str | int | float

_A_DAY, _A_SECOND = timedelta(days=1), timedelta(seconds=1)


class Span(NamedTuple):
    """What one request is told; None for nothing."""

    since: Bound | None = None
    until: Bound | None = None


def spans(said: Since, since: source.Since | None, end: datetime) -> Iterator[Span]:
    """The spans of time to ask for, the earliest first: one, or with `window` as many as it takes; none where the last load came
    as far as the end. Raises FatalError when there are no times to make them of.
    """
    first = bound(said, since)
    if said.until is None:
        yield Span(first)
        return
    mark = Mark.from_json(since.last) if since is not None else None
    if mark is not None and mark.family != "time" and not _is_unix(said, mark):
        raise FatalError(f"`until` is for a cursor of times, and {mark.cursor!r} has {mark.family}")
    is_date = said.is_date or (mark is not None and len(mark.highest) == len("2024-02-29"))
    begin = _moment(said.start) if mark is None else _begin(said, since, mark)
    last = _written(end, said, is_date=is_date, has_zone=True)
    if begin is not None and begin >= end:
        return
    if said.window is None:
        yield Span(first, last)
        return
    if begin is None:
        raise FatalError("`window` needs `start`, a time: nothing was loaded yet")
    yield from _windows(said, begin, end, is_date=is_date)


def _windows(said: Since, begin: datetime, end: datetime, *, is_date: bool) -> Iterator[Span]:
    assert said.window is not None
    length, overlap = timedelta(seconds=said.window), _A_DAY if is_date else _A_SECOND
    while True:
        until = min(begin + length, end)
        yield Span(*(_written(each, said, is_date=is_date, has_zone=True) for each in (begin, until)))
        if until >= end:
            return
        begin = until - overlap


def bound(said: Since, since: source.Since | None) -> Bound | None:
    """From when on is asked; None for the beginning. Raises FatalError when the last load told new rows in another way."""
    mark = Mark.from_json(since.last) if since is not None else None
    if since is None or mark is None:
        return _start(said)
    if mark.family == "number":
        return _number(mark.highest, since.lookback)
    if mark.family != "time":
        return mark.highest
    is_date = said.is_date or len(mark.highest) == len("2024-02-29")
    has_zone = datetime.fromisoformat(mark.highest).tzinfo is not None
    return _written(_begin(said, since, mark), said, is_date=is_date, has_zone=has_zone)


def _start(said: Since) -> Bound | None:
    """The start as it is written; a time for which `format` has another form, in that."""
    if not isinstance(said.start, str) or said.format in ("iso", "date"):
        return None if said.start == "" else said.start  # a parameter that nobody has said
    try:
        moment = datetime.fromisoformat(said.start)
    except ValueError:
        return said.start
    return _written(_in_utc(moment), said, is_date=said.is_date, has_zone=True)


def _number(highest: str, lookback: float | str | None) -> int | str:
    """In full digits: a number of a cursor may have more than a float keeps."""
    value = Decimal(highest) - Decimal(str(lookback if isinstance(lookback, int | float) else 0)) - 1
    return int(value) if value == value.to_integral_value() else f"{value:f}"


def _begin(said: Since, since: source.Since | None, mark: Mark) -> datetime:
    """The moment from which on there may be something new, in UTC."""
    lookback = since.lookback if since is not None else None
    seconds = parse_duration(lookback) if isinstance(lookback, str) else 0.0
    highest = _moment(mark.highest) if _is_unix(said, mark) else datetime.fromisoformat(mark.highest)
    assert highest is not None
    moment = _in_utc(highest - timedelta(seconds=seconds))
    is_date = said.is_date or len(mark.highest) == len("2024-02-29")
    return moment.replace(microsecond=0) - (_A_DAY if is_date else _A_SECOND)


def _is_unix(said: Since, mark: Mark) -> bool:
    """Whether the numbers of the cursor are times."""
    return mark.family == "number" and said.format in ("unix", "unix_ms")


def _moment(start: Bound | None) -> datetime | None:
    """A start as a moment: said as a time, or in seconds or milliseconds since 1970. Raises FatalError for another text."""
    if start is None or start == "":
        return None
    try:
        if isinstance(start, str) and not start.replace(".", "", 1).isdecimal():
            return _in_utc(datetime.fromisoformat(start))
        number = float(start)
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    except (ValueError, OverflowError, OSError) as exc:
        hint = "write it as 2024-02-29 or 2024-02-29T12:00:00Z"
        message = f"`start` of `since` is a time where there is an `until`; got {start!r}"
        raise FatalError(message, hint=hint) from exc


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _written(utc: datetime, said: Since, *, is_date: bool, has_zone: bool) -> Bound:
    if said.format == "unix":
        return int(utc.timestamp())
    if said.format == "unix_ms":
        return int(utc.timestamp()) * 1000
    if "%" in said.format:
        return utc.strftime(said.format)
    if is_date:
        return utc.date().isoformat()
    return utc.replace(microsecond=0, tzinfo=None).isoformat() + ("Z" if has_zone else "")

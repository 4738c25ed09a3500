"""Which documents a reading is about, as far as the server can leave out others.

MongoDB compares values of one type only: a date is neither before nor after a text. So nothing is asked for; what is
surely not wanted is left out, and everything else is told apart here, whatever types a field has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from windlass.connectors.cursors import Mark
from windlass.connectors.source import Reading, Since
from windlass.units import parse_duration

__all__ = ["wanted"]

_FINEST = timedelta(milliseconds=1)
_OBJECT_ID = 24  # hexadecimal digits


def wanted(reading: Reading) -> Iterator[dict[str, Any]]:
    """Conditions that all documents of the reading satisfy."""
    if reading.interval is not None:
        name, (start, end) = reading.interval.column, reading.interval.interval
        yield {"$nor": [{name: {"$lt": start}}, {name: {"$gte": end}}, {name: None}]}
    if reading.since is not None and (below := list(_below(reading.since))):
        yield {"$nor": below}


def _below(since: Since) -> Iterator[dict[str, Any]]:
    """What was read before, or comes too late: each a condition on values of one type."""
    last = Mark.from_json(since.last)
    if last is None or since.cursor is None or last.cursor != since.cursor:
        return  # which is refused by whoever tells new rows
    for bound in _bounds(last, since.lookback):
        yield {since.cursor: {"$lt": bound}}


def _bounds(last: Mark, lookback: float | str | None) -> Iterator[Any]:
    from bson.objectid import ObjectId

    if last.family == "number":
        yield math.nextafter(float(Decimal(last.highest) - Decimal(str(lookback or 0))), -math.inf)
    elif last.family == "time":
        moment = _moment(last.highest)
        if moment is not None:
            yield moment - timedelta(seconds=parse_duration(str(lookback)) if lookback else 0) - _FINEST
    elif last.family == "text":
        yield last.highest
        if len(last.highest) == _OBJECT_ID and ObjectId.is_valid(last.highest):
            yield ObjectId(last.highest)


def _moment(text: str) -> datetime | None:
    """A time as the scratch database writes it; None for those that Python does not have."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""What an API is told of the last load, so that it sends only what may be new: from when, or from which number.

It is a bound and no more: what comes is still told apart by the cursor (`connectors/cursors.py`), so an API that sends
too much does no harm. So times are rounded down, and the bound lies `lookback`, and one second, day or number more,
below the highest value: some APIs mean "from then on", others "after that", and would leave out what came at the same time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from windlass.connectors import source
from windlass.connectors.cursors import Mark
from windlass.connectors.http.options import Since
from windlass.units import parse_duration

__all__ = ["bound"]


def bound(said: Since, since: source.Since | None) -> str | int | float | None:
    """What is sent; None for nothing. Raises FatalError when the last load told new rows in another way."""
    mark = Mark.from_json(since.last) if since is not None else None
    if since is None or mark is None:
        return said.start
    if mark.family == "number":
        return _number(mark.highest, since.lookback)
    if mark.family != "time":
        return mark.highest
    seconds = parse_duration(since.lookback) if isinstance(since.lookback, str) else 0.0
    return _text(datetime.fromisoformat(mark.highest) - timedelta(seconds=seconds), said, mark.highest)


def _number(highest: str, lookback: float | str | None) -> int | str:
    """In full digits: a number of a cursor may have more than a float keeps."""
    value = Decimal(highest) - Decimal(str(lookback if isinstance(lookback, int | float) else 0)) - 1
    return int(value) if value == value.to_integral_value() else f"{value:f}"


def _text(moment: datetime, said: Since, highest: str) -> str | int:
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    is_date = said.format == "date" or len(highest) == len("2024-02-29")
    utc = utc.replace(microsecond=0) - (timedelta(days=1) if is_date else timedelta(seconds=1))
    if said.format == "unix":
        return int(utc.timestamp())
    if said.format == "unix_ms":
        return int(utc.timestamp()) * 1000
    if is_date:
        return utc.date().isoformat()
    return utc.replace(tzinfo=None).isoformat() + ("" if moment.tzinfo is None else "Z")

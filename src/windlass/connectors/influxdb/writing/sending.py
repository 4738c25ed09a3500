"""Points on their way to the server: many in one request, and those that it does not take one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from windlass.connectors.influxdb.answers import RefusedPointsError
from windlass.connectors.influxdb.client import Connection
from windlass.connectors.rows import BadRow, Reason, record_of

__all__ = ["AT_ONCE", "Point", "send"]

AT_ONCE = 5_000  # points of a request: https://docs.influxdata.com/influxdb/v2/write-data/best-practices/optimize-writes/
_DROPPED = re.compile(r"partial write: (?!unable to parse).*\bdropped=(\d+)", re.DOTALL)
_TOO_OLD = "it is older than what the retention policy keeps"
_REASONS = (
    ("beyond retention policy", Reason.OUT_OF_RANGE, _TOO_OLD),
    ("outside retention policy", Reason.OUT_OF_RANGE, _TOO_OLD),  # from 1.12 and 2.7 on
    ("field type conflict", Reason.TYPE_MISMATCH, "its field has another type in the measurement"),
)


class Point(NamedTuple):
    """A line; and the row that it was made of: its number, and itself as JSON."""

    number: int
    line: str
    record: str


def send(
    connection: Connection, points: Sequence[Point], precision: str, refuse: Callable[[BadRow, int], None]
) -> int:
    """Write the points. Returns how many are there; the others go to `refuse`.

    Of a request with a bad point the server may write the good ones, or none: so it is sent again by halves, until each
    bad point stands alone. A point that is written twice is still one.
    """
    try:
        connection.write("\n".join(point.line for point in points).encode(), precision)
    except RefusedPointsError as exc:
        if len(points) == 1 or _refuses_all(exc, len(points)):
            for point in points:
                refuse(_bad_row(exc, point), point.number)
            return 0
    else:
        return len(points)
    middle = len(points) // 2
    return sum(send(connection, part, precision, refuse) for part in (points[:middle], points[middle:]))


def _refuses_all(error: RefusedPointsError, points: int) -> bool:
    found = _DROPPED.search(error.message)
    return found is not None and int(found[1]) == points


def _bad_row(error: RefusedPointsError, point: Point) -> BadRow:
    record = record_of(point.record)
    for words, reason, message in _REASONS:
        if words in error.message:
            return BadRow(reason, f"{message}: {error.message}", record=record)
    return BadRow(Reason.REFUSED, error.message, record=record)

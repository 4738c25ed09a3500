"""Deleting points, which each version does in another way, and version 3 not at all."""

from __future__ import annotations

from datetime import UTC, timedelta

from windlass.connectors.ends import Interval
from windlass.connectors.influxdb import influxql
from windlass.connectors.influxdb.answers import NoRouteError
from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.lines import nanoseconds
from windlass.connectors.influxdb.schema import quoted
from windlass.errors import FatalError, RetryableError

__all__ = ["delete", "require_deletes"]

_ALWAYS = ("1677-09-21T00:12:44Z", "2262-04-11T23:47:16Z")  # all times there are, in whole seconds
_APPEND = "use `mode: append`, which overwrites points with the same tags and time"


def require_deletes(connection: Connection, measurement: str) -> None:
    """Raise FatalError where points of one retention policy cannot be deleted without those of another."""
    if connection.is_v2:
        return  # whether it can, it says when it is asked
    found = connection.query(f"SHOW RETENTION POLICIES ON {influxql.name(connection.database)}")
    policies = [row["name"] for series in found for row in series.rows()]
    if len(policies) > 1:
        message = f"{connection.target} has several retention policies ({', '.join(policies)}), and to delete points of "
        message += f"{measurement!r} would delete them in all of these"
        raise FatalError(message, hint=_APPEND)


def delete(connection: Connection, measurement: str, interval: Interval | None) -> None:
    """Delete the points of the interval, or all. Raises RetryableError when some are there even so."""
    when = ""
    if interval is not None:
        start, end = map(nanoseconds, interval)
        when = f" WHERE time >= {start} AND time < {end}"
    if connection.is_v2:
        _in_bucket(connection, measurement, interval)
    else:
        connection.query(f"DELETE FROM {influxql.name(measurement)}{when}")
    if connection.query(f"SELECT * FROM {quoted(connection, measurement)}{when} LIMIT 1"):
        message = (
            f"{measurement!r} has points although they were deleted: another program may write some meanwhile"
        )
        raise RetryableError(message)


def _in_bucket(connection: Connection, measurement: str, interval: Interval | None) -> None:
    start, stop = _ALWAYS
    if interval is not None:  # the last moment is deleted, too
        first, last = interval[0].astimezone(UTC), interval[1].astimezone(UTC) - timedelta(microseconds=1)
        start, stop = f"{first:%Y-%m-%dT%H:%M:%S.%fZ}", f"{last:%Y-%m-%dT%H:%M:%S.%f}999Z"
    try:
        connection.delete(measurement, start, stop)
    except NoRouteError as exc:
        message = f"influxdb at {connection.where} cannot delete points of a bucket"
        raise FatalError(message, hint=_APPEND) from exc

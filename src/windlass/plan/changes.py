"""Where a schedule meets a change of the clock: times that a zone skips, or shows twice.

Airflow has one tick for each of them, and so have we (`ticks.py`). Other schedulers have none, or two, or another one: whoever
exports to them has to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from windlass.plan.ticks import PRESETS, zone_of

__all__ = ["Change", "has_whole_hours", "met_change"]

_LOOKED_AT = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
"""Years that stand for all: an export reads no clock. The rules of a zone do not differ from one decade to the next."""

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Change:
    """What the clock on the wall skips, or shows twice."""

    begin: datetime
    end: datetime
    hours: frozenset[int]
    """Those of the clock that it is about."""

    is_skipped: bool

    @property
    def length(self) -> timedelta:
        return self.end - self.begin

    def told(self, wall: datetime) -> str:
        """What becomes of a time in it, in words that go on from the name of a zone."""
        if self.is_skipped:
            return f"skips {wall:%H:%M} on {wall:%Y-%m-%d}"
        return f"shows {wall:%H:%M} twice on {wall:%Y-%m-%d}"


@lru_cache(1 << 12)  # the pipelines of a project have few
def met_change(schedule: str, zone: str, *, hourly: bool = False) -> str | None:
    """The first time of a valid schedule that the zone skips or shows twice, and which of both it does; None if there is none.

    An expression for every hour follows real time, and meets only a change of half an hour; with `hourly` its times that are shown
    twice count, too.
    """
    from croniter import croniter

    expression = PRESETS.get(schedule, schedule)
    is_hourly = expression.split()[1] == "*"
    minutes, hours = (set(field) for field in croniter.expand(expression)[0][:2])
    for change in _changes(zone):
        if is_hourly and not _keeps(minutes, change):
            return f"is changed by {change.length // _MINUTE} minutes on {change.begin:%Y-%m-%d}"
        if is_hourly and not hourly:
            continue
        if (hours == {"*"} or hours & change.hours) and not (is_hourly and change.is_skipped):
            wall, after = (
                croniter(expression, at - _MINUTE).get_next(datetime) for at in (change.begin, change.end)
            )
            # what is skipped is a tick so much later, which may be one anyway
            if wall < change.end and not (change.is_skipped and after - wall == change.length):
                return change.told(wall)
    return None


def _keeps(minutes: set[int | str], change: Change) -> bool:
    """Whether real time has the same minutes of the hour after the change."""
    shift = change.length // _MINUTE % 60
    return "*" in minutes or {(int(minute) + shift) % 60 for minute in minutes} == minutes


@lru_cache
def has_whole_hours(zone: str) -> bool:
    """Whether the zone is always a number of hours from UTC, so that its minutes are those of UTC."""
    begin, end = _LOOKED_AT
    moments = (begin + n * _DAY for n in range((end - begin).days))
    return all(not _offset(moment, zone) % timedelta(hours=1) for moment in moments)


@lru_cache
def _changes(zone: str) -> tuple[Change, ...]:
    return tuple(_found(zone)) if zone != "UTC" else ()


def _found(zone: str) -> Iterator[Change]:
    day, end = _LOOKED_AT
    while day < end:
        before, after = _offset(day, zone), _offset(day + _DAY, zone)
        if before != after:
            low, high = day, day + _DAY
            while high - low > _MINUTE:
                middle = low + (high - low) // _MINUTE // 2 * _MINUTE
                low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
            begin, until = (high.replace(tzinfo=None) + offset for offset in sorted((before, after)))
            walls = (begin + n * _MINUTE for n in range((until - begin) // _MINUTE))
            yield Change(begin, until, frozenset(wall.hour for wall in walls), is_skipped=after > before)
        day += _DAY


def _offset(moment: datetime, zone: str) -> timedelta:
    return moment.astimezone(zone_of(zone)).utcoffset() or timedelta()

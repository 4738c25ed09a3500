"""The ticks of a schedule: the moments at which a cron expression fires in a time zone, as Airflow has them.

An expression with fixed hours (`30 2 * * *`) is meant by the clock on the wall. A time that the clock shows
twice, when summer time ends, is the second of the two; the first of those that it skips is as long after the
change as it would have been, and the next tick is what the clock shows after that. An expression for every hour
(`*/20 * * * *`) follows real time, through the change and past it. (Airflow: `CronDataIntervalTimetable`. Where a
skipped time meets another tick, Airflow has an interval of no length; here both are one tick.)
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from msgspec import Struct

__all__ = ["PRESETS", "Ticks", "zone_of"]

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_PAST_CHANGES = timedelta(
    days=2
)  # a change is of a day at most, where the date line was crossed; summer time is an hour


def zone_of(name: str) -> tzinfo:
    """The IANA time zone. Raises ZoneInfoNotFoundError, ValueError or OSError for what is not one."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


class Ticks(Struct, frozen=True):
    """The ticks of a valid schedule: a cron expression of five fields, or one of PRESETS. All moments are UTC."""

    schedule: str
    zone: str = "UTC"

    def after(self, moment: datetime) -> datetime:
        """The first tick later than the moment."""
        wall = self._wall(moment)
        if self._is_hourly:
            return moment + (next(self._walls(wall)) - wall)
        return next(tick for tick in self._from(wall - _PAST_CHANGES) if tick > moment)

    def before(self, moment: datetime) -> datetime:
        """The last tick earlier than the moment."""
        wall = self._wall(moment)
        if self._is_hourly:
            return moment - (wall - next(self._walls(wall, back=True)))
        walls = self._walls(wall + _PAST_CHANGES, back=True)
        return next(tick for tick in map(self._utc, walls) if tick < moment)

    def has(self, moment: datetime) -> bool:
        """Whether the moment is a tick."""
        return self.before(self.after(moment)) == moment

    def upto(self, moment: datetime) -> datetime:
        """The last tick that is not later than the moment."""
        return moment if self.has(moment) else self.before(moment)

    def on(self, day: date) -> list[datetime]:
        """The ticks of a day in the schedule's zone, in order."""
        begin, end = (self._utc(datetime.combine(d, time())) for d in (day, day + timedelta(days=1)))
        found = []
        tick = self.after(begin - timedelta(microseconds=1))
        while tick < end:
            found.append(tick)
            tick = self.after(tick)
        return found

    def _from(self, wall: datetime) -> Iterator[datetime]:
        """The ticks from a time on the wall on, right from a change of the clock later."""
        shown = wall
        for at in self._walls(wall):
            if at > shown:
                tick = self._utc(at)
                shown = self._wall(tick)  # past `at`, and so past other ticks, if the clock skips that
                yield tick

    def _walls(self, wall: datetime, *, back: bool = False) -> Iterator[datetime]:
        """What the clock on the wall shows at the ticks, from there on, as if it were never changed."""
        from croniter import croniter

        cron = croniter(self._expression, wall)
        while True:
            yield cron.get_prev(datetime) if back else cron.get_next(datetime)

    @property
    def _is_hourly(self) -> bool:
        return self._expression.split()[1] == "*"

    @property
    def _expression(self) -> str:
        return PRESETS.get(self.schedule, self.schedule)

    def _wall(self, moment: datetime) -> datetime:
        """What the clock on the wall shows then."""
        return moment.astimezone(zone_of(self.zone)).replace(tzinfo=None)

    def _utc(self, wall: datetime) -> datetime:
        """When the clock shows that time: the second time if it does so twice; after the change if it never does."""
        zone = zone_of(self.zone)
        second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        if second.astimezone(zone).replace(tzinfo=None) == wall:
            return second
        return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)

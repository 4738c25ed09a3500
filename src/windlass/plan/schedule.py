"""Schedules, logical dates and data intervals, with Airflow's words and Airflow's meaning.

A scheduled run with logical date L covers the data interval from L to the next tick of its schedule.
A run started by hand covers the last whole interval before now; a pipeline without a regular schedule
has an interval of no length. (Airflow: "Timetables", `CronDataIntervalTimetable`.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from windlass.errors import UsageError

__all__ = ["Moment", "check_schedule", "check_timezone", "moment_of", "parse_logical_date"]

_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_UNSCHEDULED = ("none", "@once")
_RANDOM = re.compile(r"(^|[\s,])[rh]\b", re.IGNORECASE)  # croniter's `R` and `H` mean another time each time
_ANY_TIME = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a run is meant to be: its logical date and its half-open data interval, all UTC."""

    logical_date: datetime
    interval_start: datetime
    interval_end: datetime
    scheduled: bool

    @property
    def interval(self) -> tuple[datetime, datetime]:
        return self.interval_start, self.interval_end


def check_schedule(schedule: str) -> str | None:
    """What is wrong with a schedule, or None."""
    if schedule in _UNSCHEDULED or schedule in _PRESETS:
        return None
    if not schedule.startswith("@"):
        from croniter import CroniterBadDateError, croniter

        if len(schedule.split()) == 5 and not _RANDOM.search(schedule) and croniter.is_valid(schedule):
            try:
                croniter(schedule, _ANY_TIME).get_next()
            except CroniterBadDateError:
                return f"{schedule!r} never comes"
            return None
    known = ", ".join((*_PRESETS, *_UNSCHEDULED))
    return f"{schedule!r} is no schedule; expected a cron expression of 5 fields, or one of {known}"


def check_timezone(name: str) -> str | None:
    """What is wrong with a time zone, or None."""
    try:
        _zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"unknown time zone {name!r}; expected an IANA name such as Europe/Paris"
    return None


def parse_logical_date(text: str) -> datetime:
    """A date or ISO 8601 time, in UTC where nothing else is said. Raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise UsageError(
            f"{text!r} is no date; expected one such as 2021-10-02 or 2021-10-02T06:00:00Z"
        ) from exc
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def moment_of(schedule: str, zone: str, logical_date: datetime | None, now: datetime) -> Moment:
    """The moment of a run: a scheduled one when `logical_date` is given, else one started by hand now."""
    when = logical_date or now
    if schedule in _UNSCHEDULED:
        return Moment(when, when, when, logical_date is not None)
    if logical_date is None:
        end = _tick(schedule, zone, now, back=True)
        return Moment(now, _tick(schedule, zone, end, back=True), end, scheduled=False)
    return Moment(when, when, _tick(schedule, zone, when), scheduled=True)


def _tick(schedule: str, zone: str, when: datetime, *, back: bool = False) -> datetime:
    from croniter import croniter

    cron = croniter(_PRESETS.get(schedule, schedule), when.astimezone(_zone(zone)))
    tick: datetime = cron.get_prev(datetime) if back else cron.get_next(datetime)
    return tick.astimezone(UTC)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)

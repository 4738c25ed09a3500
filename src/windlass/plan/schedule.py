"""Schedules, logical dates and data intervals, with Airflow's words and Airflow's meaning.

A scheduled run with logical date L covers the data interval from L to the next tick of its schedule.
A run started by hand covers the last whole interval before now; a pipeline without a regular schedule
has an interval of no length. (Airflow: "Timetables", `CronDataIntervalTimetable`.)
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from windlass.errors import Code, UsageError, near_word
from windlass.plan.ticks import PRESETS, Ticks, zone_of

__all__ = [
    "RunDates",
    "check_schedule",
    "check_timezone",
    "dates_of_start",
    "is_regular",
    "parse_logical_date",
    "run_dates",
    "tick_of",
    "ticks_between",
]

_UNSCHEDULED = ("none", "@once")
_RANDOM = re.compile(r"(^|[\s,])[rh]\b", re.IGNORECASE)  # croniter's `R` and `H` mean another time each time
_ANY_TIME = datetime(2020, 1, 1, tzinfo=UTC)
_JOB = re.compile(
    r"-(\d{7,9})$"
)  # of a CronJob: its name ends with the minutes since 1970 when it was to start
_LONG_AGO = timedelta(
    days=60
)  # no pod of a scheduled run waits longer; a number that means so is somebody's own


class RunDates(Struct, frozen=True):
    """When a run is meant to be: its logical date and its half-open data interval, all UTC."""

    logical_date: datetime
    interval_start: datetime
    interval_end: datetime
    scheduled: bool

    @property
    def interval(self) -> tuple[datetime, datetime]:
        return self.interval_start, self.interval_end


def is_regular(schedule: str) -> bool:
    """Whether a valid schedule has ticks, one after the other."""
    return schedule not in _UNSCHEDULED


@lru_cache(1 << 12)  # the pipelines of a project have few
def check_schedule(schedule: str) -> tuple[str, str | None] | None:
    """What is wrong with a schedule, and what may have been meant; None when nothing is."""
    if schedule in _UNSCHEDULED or schedule in PRESETS:
        return None
    if not schedule.startswith("@"):
        from croniter import CroniterBadDateError, croniter

        if len(schedule.split()) == 5 and not _RANDOM.search(schedule) and croniter.is_valid(schedule):
            try:
                croniter(schedule, _ANY_TIME).get_next()
            except CroniterBadDateError:
                return f"{schedule!r} never comes", None
            return None
    known = (*PRESETS, *_UNSCHEDULED)
    message = f"{schedule!r} is not a valid schedule; expected a cron expression of 5 fields, or one of {', '.join(known)}"
    return message, near_word(schedule, known)


def check_timezone(name: str) -> tuple[str, str | None] | None:
    """What is wrong with a time zone, and what may have been meant; None when nothing is."""
    from zoneinfo import ZoneInfoNotFoundError, available_timezones

    try:
        zone_of(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"unknown time zone {name!r}; expected an IANA name such as Europe/Paris"
        return message, near_word(name, available_timezones())
    return None


def parse_logical_date(text: str) -> datetime:
    """A date or ISO 8601 time, in UTC where nothing else is said. Raises UsageError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        message = f"{text!r} is not a valid date; expected one such as 2021-10-02 or 2021-10-02T06:00:00Z"
        raise UsageError(message, code=Code.INVALID_LOGICAL_DATE) from exc
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def tick_of(text: str, schedule: str, zone: str) -> datetime:
    """The logical date of the scheduled run that somebody names: a tick of the schedule, or a day that has one.

    A day is one of the schedule's time zone. Raises UsageError, with the nearest ticks, for what is neither.
    Without a regular schedule any date will do.
    """
    moment = parse_logical_date(text)
    if schedule in _UNSCHEDULED:
        return moment
    ticks = Ticks(schedule, zone)
    day = _day(text)
    if day is None:
        if ticks.has(moment):
            return moment
        nearest = f"{_shown(ticks.before(moment), zone)} and {_shown(ticks.after(moment), zone)}"
        message = f"{text!r} is not a tick of {schedule!r} in {zone}"
        raise UsageError(message, hint=f"the nearest are {nearest}", code=Code.INVALID_LOGICAL_DATE)
    found = ticks.on(day)
    midnight = found and _wall(found[0], zone) == "00:00"
    if len(found) == 1 or midnight:
        return found[0]
    begin = datetime(day.year, day.month, day.day, tzinfo=zone_of(zone)).astimezone(UTC)
    known = found[:3] if found else [ticks.before(begin), ticks.after(begin)]
    what = f"{schedule!r} has {len(found) or 'no'} ticks on {text} in {zone}"
    hint = f"say which, such as {', '.join(_shown(tick, zone) for tick in known)}"
    raise UsageError(what, hint=hint, code=Code.INVALID_LOGICAL_DATE)


def ticks_between(start: str, end: str, schedule: str, zone: str) -> list[datetime]:
    """The logical dates of a schedule from one date to another, both included; a day has all of its ticks.

    Raises UsageError where there are none, or no regular schedule.
    """
    if schedule in _UNSCHEDULED:
        hint = "one run by hand is: windlass run --logical-date"
        raise UsageError(
            f"the schedule is {schedule}, so there are no dates between two others",
            hint=hint,
            code=Code.INVALID_LOGICAL_DATE,
        )
    ticks = Ticks(schedule, zone)
    first, last = _edge(start, zone, timedelta()), _edge(end, zone, timedelta(days=1, microseconds=-1))
    found = []
    tick = ticks.after(first - timedelta(microseconds=1))
    while tick <= last:
        found.append(tick)
        tick = ticks.after(tick)
    if not found:
        message = f"{schedule!r} has no ticks from {start} to {end} in {zone}"
        hint = f"the next is {_shown(tick, zone)}"
        raise UsageError(message, hint=hint, code=Code.INVALID_LOGICAL_DATE)
    return found


def _edge(text: str, zone: str, into: timedelta) -> datetime:
    """The moment that a text names; of a day, so far into it."""
    day = _day(text)
    if day is None:
        return parse_logical_date(text)
    return (datetime(day.year, day.month, day.day, tzinfo=zone_of(zone)) + into).astimezone(UTC)


def run_dates(schedule: str, zone: str, logical_date: datetime | None, now: datetime) -> RunDates:
    """The dates of a run: of a scheduled one when `logical_date` is given, else of one started by hand now."""
    when = logical_date or now
    if schedule in _UNSCHEDULED:
        return RunDates(when, when, when, logical_date is not None)
    ticks = Ticks(schedule, zone)
    if logical_date is None:
        end = ticks.upto(now)
        return RunDates(now, ticks.before(end), end, scheduled=False)
    return RunDates(when, when, ticks.after(when), scheduled=True)


def dates_of_start(text: str, schedule: str, zone: str, now: datetime) -> RunDates:
    """The dates of a run that a scheduler starts at a tick: a time, `now` for the last one up to now, or the name of a
    Job that a CronJob of Kubernetes made. Its data interval ends with that tick, as everywhere.

    A run that was started at no tick is one by hand. Raises UsageError.
    """
    moment = _meant_start(text, now)
    by_hand = run_dates(schedule, zone, None, moment or now)
    if moment is None or schedule in _UNSCHEDULED or (text != "now" and by_hand.interval_end != moment):
        return by_hand
    return RunDates(by_hand.interval_start, *by_hand.interval, scheduled=True)


def _meant_start(text: str, now: datetime) -> datetime | None:
    """When the run was to start; None for a Job that somebody made by hand."""
    if text == "now":
        return now
    if re.match(r"\d{4}-\d", text):
        return parse_logical_date(text)
    found = _JOB.search(text)
    moment = datetime.fromtimestamp(int(found[1]) * 60, UTC) if found else None
    return moment if moment is not None and now - _LONG_AGO < moment < now + timedelta(days=1) else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _wall(moment: datetime, zone: str) -> str:
    return moment.astimezone(zone_of(zone)).strftime("%H:%M")


def _shown(moment: datetime, zone: str) -> str:
    return moment.astimezone(zone_of(zone)).isoformat()

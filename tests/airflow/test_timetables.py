"""Ticks and data intervals are those of Airflow's own timetable, over time zones, cron expressions and moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.conftest import missing
from windlass.plan.schedule import run_dates
from windlass.plan.ticks import Ticks

if TYPE_CHECKING:
    from airflow.timetables.interval import CronDataIntervalTimetable

# every kind of change there is: an hour, half an hour, two hours, at midnight, a day, for Ramadan, none
ZONES = [
    "UTC",
    "Europe/Paris",
    "Europe/London",
    "Europe/Lisbon",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Caracas",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Asia/Tehran",
]
HOURS = ("*", "0", "1", "2", "3", "23", "*/2", "1,2", "2-4", "0,12")
CRONS = st.tuples(
    st.sampled_from(("0", "30", "15", "59", "5,35", "*/20")),
    st.sampled_from(HOURS),
    st.sampled_from(("*", "*", "1", "15", "*/7", "28-31")),
    st.sampled_from(("*", "*", "3,10,11", "4")),
    st.sampled_from(("*", "*", "0", "1-5")),
).map(" ".join)
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)


def timetable_of(cron: str, zone: str) -> CronDataIntervalTimetable:
    """Airflow's timetable. It takes seconds to import, so only whoever plays this does."""
    if find_spec("airflow") is None:
        missing("Airflow")
    from airflow.timetables.interval import CronDataIntervalTimetable

    return CronDataIntervalTimetable(cron, timezone=zone)


@given(CRONS, st.sampled_from(ZONES), MOMENTS)
@example("0 1 1 * *", "America/New_York", datetime(2026, 11, 29, tzinfo=UTC))
@example("0 2 * * 0", "Europe/Paris", datetime(2025, 10, 30, tzinfo=UTC))
@example("0 1 * * *", "America/New_York", datetime(2025, 11, 2, 18, tzinfo=UTC))
@settings(max_examples=2000, deadline=None)
def test_a_run_by_hand_covers_what_airflow_would_give_it(cron: str, zone: str, now: datetime) -> None:
    timetable = timetable_of(cron, zone)
    import pendulum

    interval = timetable.infer_manual_data_interval(run_after=pendulum.instance(now))
    # at a time that the clock skips or shows twice, Airflow may give one without length, or of the future
    assume(interval.start < interval.end <= now)
    dates = run_dates(cron, zone, None, now)
    assert dates.interval == (interval.start, interval.end)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and a day on which its clock is changed (or any, if it never is)."""
    zone, year = draw(st.sampled_from(ZONES)), draw(st.integers(2010, 2026))
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(366)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    changed = [day for day, before, after in zip(days, offsets, offsets[1:], strict=False) if before != after]
    return zone, draw(st.sampled_from(changed or days))


@given(CRONS, changes() | st.tuples(st.sampled_from(ZONES), MOMENTS))
@example("0 1 * * *", ("America/New_York", datetime(2025, 10, 31, 12, tzinfo=UTC)))
@example("30 2 * * *", ("Europe/Paris", datetime(2025, 3, 28, 12, tzinfo=UTC)))
@example("5,35 2 * * *", ("Europe/Paris", datetime(2025, 3, 30, tzinfo=UTC)))
@example("5,35 2,3 * * *", ("Antarctica/Troll", datetime(2025, 3, 30, tzinfo=UTC)))
@example("*/20 2-4 * 3,10,11 0", ("Australia/Lord_Howe", datetime(2010, 10, 2, tzinfo=UTC)))
@settings(max_examples=2000, deadline=None)
def test_scheduled_runs_follow_each_other_as_on_airflow(cron: str, around: tuple[str, datetime]) -> None:
    zone, day = around
    timetable, ticks = timetable_of(cron, zone), Ticks(cron, zone)
    import pendulum

    first = ticks.after(day - timedelta(days=3))  # no change of the clock is near
    ours, theirs = first, [pendulum.instance(first)]
    while len(theirs) < 20 and theirs[-1] < day + timedelta(days=3):
        theirs.append(timetable._get_next(theirs[-1]))
    for before, tick in pairwise(theirs):
        if tick > before:  # the same twice: a time that the clock skips has met another
            ours = ticks.after(ours)
            assert ours == tick

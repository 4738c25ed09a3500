"""Ticks and data intervals are those of Airflow's own timetable, over time zones, cron expressions and moments."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
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


def is_shown_again(moment: datetime, zone: str) -> bool:
    """Whether the clock on the wall, set back, will show this time a second time."""
    wall = moment.astimezone(ZoneInfo(zone)).replace(fold=0)
    return wall.utcoffset() != wall.replace(fold=1).utcoffset() and wall.astimezone(UTC) == moment


@given(CRONS, st.sampled_from(ZONES), MOMENTS)
@example("0 1 * * *", "America/New_York", datetime(2025, 10, 31, 12, tzinfo=UTC))
@example("30 2 * * *", "Europe/Paris", datetime(2025, 3, 28, 12, tzinfo=UTC))
@settings(max_examples=2000, deadline=None)
def test_scheduled_runs_follow_each_other_as_on_airflow(cron: str, zone: str, moment: datetime) -> None:
    timetable, ticks = timetable_of(cron, zone), Ticks(cron, zone)
    import pendulum

    assume(
        not is_shown_again(moment, zone)
    )  # Airflow leaves out a tick of the second time, counted from the first
    ours, theirs = moment, pendulum.instance(moment)
    for _ in range(3):
        ours, before, theirs = ticks.after(ours), theirs, timetable._get_next(theirs)
        assume(theirs > before)
        assert ours == theirs

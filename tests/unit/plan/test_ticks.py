"""Ticks: an order that never stands still, and the run that somebody names by its date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.errors import UsageError
from windlass.plan.schedule import tick_of
from windlass.plan.ticks import Ticks

MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
SCHEDULES = st.sampled_from(
    ["30 2 * * *", "0 0 * * 0", "0 */2 * * *", "59 23 * * *", "0 2,3 * * *", "*/30 1-3 * * *", "@monthly"]
)
ZONES = st.sampled_from(
    ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]
)


@given(SCHEDULES, ZONES, MOMENTS)
def test_ticks_are_in_order_and_the_same_from_both_sides(schedule: str, zone: str, moment: datetime) -> None:
    ticks = Ticks(schedule, zone)
    following = ticks.after(moment)
    assert moment < following
    assert ticks.has(following)
    assert ticks.before(following) <= moment
    assert ticks.after(ticks.before(following)) == following


def test_a_time_that_comes_twice_is_one_tick_and_so_is_one_that_is_skipped() -> None:
    twice = Ticks("30 2 * * *", "Europe/Paris").on(date(2025, 10, 26))
    skipped = Ticks("30 2 * * *", "Europe/Paris").on(date(2025, 3, 30))
    assert twice == [datetime(2025, 10, 26, 1, 30, tzinfo=UTC)]
    assert skipped == [datetime(2025, 3, 30, 1, 30, tzinfo=UTC)]
    assert len(Ticks("@hourly", "Europe/Paris").on(date(2025, 10, 26))) == 25


@pytest.mark.parametrize(
    ("text", "schedule", "zone", "expected"),
    [
        ("2025-03-01", "@daily", "UTC", "2025-03-01T00:00:00+00:00"),
        ("2025-03-01", "0 6 * * *", "Europe/Paris", "2025-03-01T05:00:00+00:00"),
        ("2025-03-01", "@monthly", "Asia/Kolkata", "2025-02-28T18:30:00+00:00"),
        ("2025-03-01", "@hourly", "UTC", "2025-03-01T00:00:00+00:00"),
        ("2025-03-01T05:00:00Z", "0 6 * * *", "Europe/Paris", "2025-03-01T05:00:00+00:00"),
        ("2025-03-01T06:00:00+01:00", "0 6 * * *", "Europe/Paris", "2025-03-01T05:00:00+00:00"),
        ("2025-03-01T07:13:00Z", "none", "UTC", "2025-03-01T07:13:00+00:00"),
    ],
)
def test_a_run_is_named_by_its_tick_or_by_its_day(text: str, schedule: str, zone: str, expected: str) -> None:
    assert tick_of(text, schedule, zone).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "schedule", "hint"),
    [
        ("2025-03-01T00:00:00Z", "0 6 * * *", "2025-02-28T06:00:00+01:00 and 2025-03-01T06:00:00+01:00"),
        ("2025-03-02", "0 6 * * 1-5", "2025-02-28T06:00:00+01:00, 2025-03-03T06:00:00+01:00"),
        ("2025-03-01", "0 6,18 * * *", "2025-03-01T06:00:00+01:00, 2025-03-01T18:00:00+01:00"),
    ],
)
def test_a_date_that_is_no_tick_is_refused_with_the_nearest(text: str, schedule: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        tick_of(text, schedule, "Europe/Paris")
    assert hint in str(refused.value)


@given(SCHEDULES, ZONES, MOMENTS)
def test_every_tick_is_on_its_day(schedule: str, zone: str, moment: datetime) -> None:
    ticks = Ticks(schedule, zone)
    tick = ticks.after(moment)
    assert any(tick in ticks.on((tick + timedelta(days=d)).date()) for d in (-1, 0, 1))

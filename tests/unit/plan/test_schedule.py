"""Logical dates and data intervals are those of Airflow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.errors import UsageError
from windlass.plan.schedule import check_schedule, check_timezone, parse_logical_date, run_dates

NOW = datetime(2025, 3, 5, 7, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "logical_date", "end"),
    [
        ("@daily", "UTC", "2025-03-01T00:00", "2025-03-02T00:00"),
        ("@hourly", "UTC", "2025-03-01T05:00", "2025-03-01T06:00"),
        ("@weekly", "UTC", "2025-03-02T00:00", "2025-03-09T00:00"),
        ("@monthly", "UTC", "2025-02-01T00:00", "2025-03-01T00:00"),
        ("@quarterly", "UTC", "2025-01-01T00:00", "2025-04-01T00:00"),
        ("@yearly", "UTC", "2024-01-01T00:00", "2025-01-01T00:00"),
        ("0 6 * * 1-5", "UTC", "2025-02-28T06:00", "2025-03-03T06:00"),
        ("0 6 * * *", "Europe/Paris", "2025-03-01T05:00", "2025-03-02T05:00"),
        # the clocks go forward on 2025-03-30, and back on 2025-10-26
        ("0 6 * * *", "Europe/Paris", "2025-03-29T05:00", "2025-03-30T04:00"),
        ("0 6 * * *", "Europe/Paris", "2025-10-25T04:00", "2025-10-26T05:00"),
        ("@daily", "Europe/Paris", "2025-03-29T23:00", "2025-03-30T22:00"),
    ],
)
def test_a_scheduled_run_covers_the_time_to_the_next_tick(
    schedule: str, zone: str, logical_date: str, end: str
) -> None:
    dates = run_dates(schedule, zone, at(logical_date), NOW)
    assert dates.scheduled
    assert (dates.logical_date, *dates.interval) == (at(logical_date), at(logical_date), at(end))


def test_a_run_by_hand_covers_the_last_whole_interval() -> None:
    dates = run_dates("@daily", "UTC", None, NOW)
    assert not dates.scheduled
    assert (dates.logical_date, *dates.interval) == (NOW, at("2025-03-04"), at("2025-03-05"))


@pytest.mark.parametrize("schedule", ["none", "@once"])
def test_without_a_schedule_the_interval_has_no_length(schedule: str) -> None:
    dates = run_dates(schedule, "UTC", None, NOW)
    assert (dates.logical_date, *dates.interval) == (NOW, NOW, NOW)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["*/15 * * * *", "30 2 * * *"])
)
def test_every_moment_is_in_an_interval_that_is_neither_empty_nor_in_the_future(
    when: datetime, schedule: str
) -> None:
    current = when.replace(tzinfo=UTC)
    dates = run_dates(schedule, "America/New_York", None, current)
    assert dates.interval_start < dates.interval_end <= current
    assert current - dates.interval_end <= timedelta(days=2)


@pytest.mark.parametrize(
    "schedule",
    ["61 * * * *", "* * * *", "* * * * * *", "@midnightly", "daily", "", "R * * * *", "0 0 * * fry"],
)
def test_a_schedule_that_is_none_is_explained(schedule: str) -> None:
    assert "expected a cron expression of 5 fields" in str(check_schedule(schedule))


def test_a_schedule_that_never_comes_is_refused() -> None:
    assert check_schedule("0 0 30 2 *") == ("'0 0 30 2 *' never comes", None)
    for schedule in ("0 0 29 2 *", "*/5 8-18 * mar,apr mon-fri", "0 0 L * *"):
        assert check_schedule(schedule) is None


def test_a_time_zone_that_is_none_is_explained() -> None:
    assert check_timezone("Europe/Paris") is None
    for name in ("Paris", "../../etc/passwd", "", "/etc/localtime", "Europe"):
        assert "unknown time zone" in str(check_timezone(name))


def test_a_logical_date_is_in_utc_unless_it_says_otherwise() -> None:
    assert parse_logical_date("2021-10-02") == at("2021-10-02")
    assert parse_logical_date("2021-10-02T06:00:00+02:00") == at("2021-10-02T04:00")
    for text in ("", "yesterday", "2021-13-01", "2021-10-02 25:00"):
        with pytest.raises(UsageError, match="is not a valid date"):
            parse_logical_date(text)


@pytest.mark.parametrize(
    ("check", "written", "meant"),
    [
        (check_schedule, "@dayly", "@daily"),
        (check_schedule, "@monthley", "@monthly"),
        (check_schedule, "daily", "@daily"),
        (check_schedule, "@ones", "@once"),
        (check_schedule, "nope", "none"),
        (check_timezone, "Europe/Pariss", "Europe/Paris"),
        (check_timezone, "America/NewYork", "America/New_York"),
    ],
)
def test_a_near_word_is_suggested(check: Callable[[str], Any], written: str, meant: str) -> None:
    assert check(written)[1] == f"did you mean {meant!r}?"

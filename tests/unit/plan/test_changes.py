"""Where a schedule meets no change of the clock, a scheduler that goes by the clock on the wall alone has the ticks that we have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import example, given
from hypothesis import strategies as st

from windlass.plan.changes import has_whole_hours, met_change
from windlass.plan.ticks import Ticks

MINUTE = timedelta(minutes=1)
CHANGES = {
    "Europe/Paris": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Africa/Cairo": ("2026-04-23T22:00", "2026-10-29T21:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "Antarctica/Troll": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "Asia/Kolkata": ("2026-03-29T01:00", "2026-10-25T01:00"),
}
"""Two moments at which each clock is changed; one never is."""

CRONS = st.tuples(
    st.sampled_from(("0", "30", "59", "5,35", "*/20")),
    st.sampled_from(("*", "0", "1", "2", "3", "23", "*/2", "0-23", "2-4", "4-22")),
    st.sampled_from(("*", "*", "25-31")),
    st.sampled_from(("*", "*", "4")),
    st.sampled_from(("*", "*", "0", "1-5")),
).map(" ".join)


@given(CRONS, st.sampled_from(sorted(CHANGES)))
@example("30 2 * * *", "Europe/Paris")
@example("0 0 * * *", "Africa/Cairo")
@example("30 1 * * *", "America/New_York")
@example("*/20 * * * *", "Europe/Paris")
@example("0 * * * *", "Australia/Lord_Howe")
@example("*/30 * * * *", "Australia/Lord_Howe")
@example("0 2-4 * * *", "America/New_York")
@example("5,35 2-4 * * *", "Antarctica/Troll")
@example("5,35 2,3 * * *", "Antarctica/Troll")
def test_a_schedule_that_meets_no_change_is_the_same_to_who_looks_at_the_clock(cron: str, zone: str) -> None:
    is_same = all(by_the_wall(cron, zone, at) == ticks(cron, zone, at) for at in CHANGES[zone])
    if met_change(cron, zone) is None:
        assert is_same
    elif cron.split()[2:] == ["*", "*", "*"]:  # else it may be met by another year's
        assert not is_same


def by_the_wall(cron: str, zone: str, change: str) -> list[datetime]:
    """The minutes around a change whose time on the wall is one of the expression, as Kubernetes and Argo fire."""
    clock = ZoneInfo(zone)
    shown = {at: at.astimezone(clock).replace(tzinfo=None) for at in around(change)}
    walls, wall = set(), min(shown.values()) - MINUTE
    while wall < max(shown.values()):
        walls.add(wall := croniter(cron, wall).get_next(datetime))
    return [at for at, wall in shown.items() if wall in walls]


def ticks(cron: str, zone: str, change: str) -> list[datetime]:
    moments = around(change)
    found, tick = [], Ticks(cron, zone).after(moments[0] - MINUTE)
    while tick <= moments[-1]:
        found.append(tick)
        tick = Ticks(cron, zone).after(tick)
    return found


def around(change: str) -> list[datetime]:
    at = datetime.fromisoformat(change).replace(tzinfo=UTC)
    return [at + n * MINUTE for n in range(-240, 240)]


@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        ("30 2 * * *", "Europe/Paris", "skips 02:30 on 2026-03-29"),
        ("0 1 * * 0", "America/New_York", "shows 01:00 twice on 2026-11-01"),
        ("@daily", "Africa/Cairo", "skips 00:00 on 2026-04-24"),
        ("0 2 * * 1-5", "Europe/Paris", None),  # the clock is changed on a Sunday
        ("0 3 * * *", "Europe/Paris", None),
        ("30 2 * * *", "Asia/Kolkata", None),
        ("30 2 * * *", "UTC", None),
    ],
)
def test_what_is_met_is_said_with_its_day(cron: str, zone: str, expected: str | None) -> None:
    assert met_change(cron, zone) == expected


def test_an_hour_that_is_shown_twice_counts_for_who_knows_it_once() -> None:
    assert met_change("*/20 * * * *", "Europe/Paris") is None
    assert met_change("*/20 * * * *", "Europe/Paris", hourly=True) == "shows 02:00 twice on 2026-10-25"


def test_hours_of_a_zone_are_whole() -> None:
    whole = {
        zone: has_whole_hours(zone) for zone in ("UTC", "Europe/Paris", "Asia/Kolkata", "Australia/Lord_Howe")
    }
    assert whole == {"UTC": True, "Europe/Paris": True, "Asia/Kolkata": False, "Australia/Lord_Howe": False}

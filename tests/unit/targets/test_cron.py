"""Crontabs and timers fire when Airflow's timetable does, start the run that is meant, and leave nothing out in silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from croniter import croniter
from hypothesis import example, given
from hypothesis import strategies as st

from windlass.errors import SpecError
from windlass.plan.ticks import PRESETS
from windlass.spec import load_project
from windlass.targets.cron.crontab import crontab
from windlass.targets.cron.fields import Fields, fields_of
from windlass.targets.cron.starting import Starting
from windlass.targets.cron.target import TARGET, CronOptions
from windlass.targets.exporting import compiled

Project = Callable[..., Path]

BEGIN = datetime(2023, 12, 30, 23, 59, tzinfo=UTC)


def numbers(first: int, last: int) -> st.SearchStrategy[str]:
    """A field of a cron expression, in each of its forms."""
    number = st.integers(first, last)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    stepped = st.tuples(st.just("*") | span, st.integers(1, last)).map(lambda parts: f"{parts[0]}/{parts[1]}")
    several = st.lists(number.map(str) | span, min_size=1, max_size=3).map(",".join)
    return st.just("*") | several | stepped


SCHEDULES = st.tuples(
    numbers(0, 59), numbers(0, 23), numbers(1, 28), numbers(1, 12), numbers(0, 6)
).map(" ".join) | st.sampled_from(sorted(PRESETS))  # fmt: skip


def starting(schedule: str, **given: object) -> Starting:
    fields = fields_of(schedule)
    assert fields is not None
    values = {"timezone": "UTC", "folder": "/srv/p", "command": ("windlass",), "alone": True} | given
    return Starting("p", "a", "", fields, **values)  # type: ignore[arg-type]


def line_of(one: Starting) -> str:
    return crontab("", [one], "UTC", None).splitlines()[-1]


@given(SCHEDULES)
@example("10-58/2 * * * *")
@example("0-59/2 10-23/2 * 11-12/1 *")
def test_a_line_of_a_crontab_has_the_same_days_and_times(schedule: str) -> None:
    when = line_of(starting(schedule)).split()[:5]
    assert fields_of(" ".join(when)) == fields_of(schedule)
    # cron takes days of both kinds together where one of the two begins with a star
    days, weekdays = when[2], when[4]
    assert all(field == "*" for field in (days, weekdays) if field.startswith("*"))


@given(SCHEDULES, st.datetimes(datetime(2023, 1, 1), datetime(2025, 1, 1)))
def test_fields_fire_as_the_schedule_does(schedule: str, moment: datetime) -> None:
    moment = moment.replace(second=0, microsecond=0)
    assert fires(fields_of(schedule), moment) == croniter.match(PRESETS.get(schedule, schedule), moment)


def fires(fields: Fields | None, moment: datetime) -> bool:
    assert fields is not None
    day = fields.days is None or moment.day in fields.days
    weekday = fields.weekdays is None or moment.isoweekday() % 7 in fields.weekdays
    either = fields.days is not None and fields.weekdays is not None
    return (
        (fields.minutes is None or moment.minute in fields.minutes)
        and (fields.hours is None or moment.hour in fields.hours)
        and (fields.months is None or moment.month in fields.months)
        and ((day or weekday) if either else (day and weekday))
    )


CONFIG = "project: test\nconnections: {shop: {type: postgres}}\n"
PIPELINE = """\
pipeline: {name}
description: Copy what is new, 100% of it
schedule: "{schedule}"
timezone: {zone}
tasks:
  load:
    copy: {{from: {{connection: shop, table: t}}, to: {{path: t.csv}}}}
"""


def rendered(root: Path, **options: object) -> dict[str, str]:
    return TARGET.render(compiled(load_project(root)), CronOptions(project_path="/srv/p", **options))  # type: ignore[arg-type]


def test_a_crontab_says_what_runs_when_and_what_does_not(project: Project) -> None:
    root = project(
        {
            "windlass.yaml": CONFIG,
            "pipelines/a.yaml": PIPELINE.format(name="a", schedule="*/10 6 * * 1-5", zone="UTC"),
            "pipelines/b.yaml": PIPELINE.format(name="b", schedule="@daily", zone="Europe/Zurich"),
            "pipelines/c.yaml": PIPELINE.format(name="c", schedule="none", zone="UTC"),
        }
    )
    [(name, text)] = rendered(root, scheduler="cronie").items()
    assert name == "cron/crontab"
    assert "#   shop (postgres)\n" in text
    assert "#   windlass run c\n" in text
    assert (
        text.index("\n*/10 6 * * 1-5  cd /srv/p ")
        < text.index("\nCRON_TZ=Europe/Zurich\n")
        < text.index("\n0 0 * * *  cd ")
    )
    assert "flock -n -E 0 .windlass/cron/b.lock windlass run b --fired-at now --no-dev 2>&1" in text
    assert "0 0 * * * etl  cd" in rendered(root, scheduler="cronie", user="etl")["cron/crontab"]
    with pytest.raises(SpecError, match=r"b\.yaml:4:11: .*not Europe/Zurich"):
        rendered(root)


def test_what_cannot_be_expressed_is_refused(project: Project) -> None:
    pipeline = (
        PIPELINE.format(name="a", schedule="0 0 L * *", zone="UTC") + "catchup: true\nstart: 2024-01-01\n"
    )
    root = project({"windlass.yaml": CONFIG, "pipelines/a.yaml": pipeline})
    with pytest.raises(SpecError) as told:
        rendered(root)
    assert [problem.line for problem in told.value.problems] == [3, 8]


@pytest.mark.parametrize("scheduler", ["cronie", "systemd"])
def test_a_tick_that_the_clock_skips_or_shows_twice_is_refused(project: Project, scheduler: str) -> None:
    pipelines = {
        "pipelines/a.yaml": PIPELINE.format(name="a", schedule="30 2 * * *", zone="Europe/Zurich"),
        "pipelines/b.yaml": PIPELINE.format(name="b", schedule="*/20 * * * *", zone="Europe/Zurich"),
        "pipelines/c.yaml": PIPELINE.format(name="c", schedule="30 3 * * *", zone="Europe/Zurich"),
        # the minutes of an hour are not those of UTC
        "pipelines/d.yaml": PIPELINE.format(name="d", schedule="5 * * * *", zone="Australia/Adelaide"),
    }
    with pytest.raises(SpecError) as told:
        rendered(project({"windlass.yaml": CONFIG, **pipelines}), scheduler=scheduler)
    refused = {"a", "d"} if scheduler == "systemd" else {"a"}
    assert {problem.file for problem in told.value.problems} == {f"pipelines/{name}.yaml" for name in refused}
    assert "Europe/Zurich skips 02:30 on 2026-03-29" in told.value.problems[0].message


def test_a_timer_of_every_hour_is_in_utc_for_the_hour_that_the_clock_shows_twice(project: Project) -> None:
    pipeline = PIPELINE.format(name="b", schedule="*/20 * * * *", zone="Europe/Zurich")
    texts = rendered(project({"windlass.yaml": CONFIG, "pipelines/b.yaml": pipeline}), scheduler="systemd")
    assert "OnCalendar=*-*-* *:00,20,40:00 UTC\n" in texts["systemd/windlass-test-b.timer"]

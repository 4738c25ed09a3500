"""Crontabs and timers, as shells and systemd read them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import Output, missing
from tests.faults.checker import until
from windlass.plan.changes import met_change
from windlass.plan.ticks import Ticks
from windlass.spec import load_project
from windlass.targets.cron.crontab import crontab
from windlass.targets.cron.fields import fields_of
from windlass.targets.cron.starting import Starting
from windlass.targets.cron.systemd import calendars
from windlass.targets.cron.target import TARGET, CronOptions
from windlass.targets.exporting import compiled

Project = Callable[..., Path]

BEGIN = datetime(2023, 12, 30, 23, 59, tzinfo=UTC)
PIPELINE = """\
pipeline: a
schedule: "0 6 2 * 1"
timezone: Europe/Zurich
description: 100% of it
tasks: {a: {run: {command: [date]}}}
"""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not there")
def test_timers_fire_at_the_ticks() -> None:
    zones = ("UTC", "Europe/Zurich", "America/New_York")
    schedules = ("*/15 * * * *", "0 6 2 * *", "30 4 1,15 * 1-5", "5 22-2 * 1,7 *", "0 0 */2 * 0", "@weekly")
    for schedule in schedules:
        fields = fields_of(schedule)
        assert fields is not None
        for zone in zones:
            ticks, expected = Ticks(schedule, zone), [BEGIN]
            for _ in range(6):
                expected.append(ticks.after(expected[-1]))
            assert elapses(calendars(fields, zone), 6) == expected[1:], (schedule, zone)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not there")
def test_timers_fire_at_the_ticks_where_the_clock_is_changed() -> None:
    schedules = ("*/20 * * * *", "5 * * * *", "0 1,3 * * *", "30 4 * * *")
    for schedule in schedules:
        fields = fields_of(schedule)
        assert fields is not None
        for begin in (datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)):
            assert met_change(schedule, "Europe/Zurich") is None
            ticks, expected = Ticks(schedule, "Europe/Zurich"), [begin]
            for _ in range(30):
                expected.append(ticks.after(expected[-1]))
            assert elapses(calendars(fields, "Europe/Zurich"), 30, begin) == expected[1:], (schedule, begin)


def elapses(events: list[str], count: int, begin: datetime = BEGIN) -> list[datetime]:
    """When systemd says that any of these fires, from there on."""
    base = f"--base-time={begin:%Y-%m-%d %H:%M:%S} UTC"
    command = ["systemd-analyze", "calendar", base, f"--iterations={count}", *events]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"TZ": "UTC", "LC_ALL": "C"}, check=True
    )
    found = re.findall(r"(?:Next elapse|Iteration #\d+|Iter\. #\d+): \w+ ([\d-]+ [\d:]+) UTC", done.stdout)
    return sorted(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in set(found))[:count]


def test_the_shell_gets_the_command_as_it_is_meant(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s 100% "mine" $HOME'
    folder.mkdir()
    fields = fields_of("@daily")
    assert fields is not None
    one = Starting("p", "a", "", fields, "UTC", str(folder), ("echo", "a b", "$x", "%d", "'"), alone=True)
    line = crontab("", [one], "UTC", None).splitlines()[-1]
    command = line.split("  ", 1)[1].replace("\\%", "%")
    assert "%" not in line.replace("\\%", "")
    without_log = command.rpartition(" 2>&1 | logger -t windlass-a")[0]
    done = subprocess.run(["sh", "-c", without_log], capture_output=True, text=True, check=True)
    assert done.stdout == "a b $x %d '\n"


EVERY_MINUTE = """\
pipeline: ticking
schedule: "* * * * *"
tasks:
  note:
    run: {command: [sh, -c, 'echo "{{ ts }} 100%% $TABLE" >> ticks.txt'], env: {TABLE: "{{ params.table }}"}}
params: {table: "100% of it"}
"""


@contextmanager
def cron(crontab: Path) -> Iterator[subprocess.Popen[bytes] | None]:
    """Have a cron daemon go by a file: the one of this machine, or else one that is started here."""
    place = Path("/etc/cron.d") / f"windlass-test-{uuid4().hex[:8]}"
    place.write_text(crontab.read_text())
    try:
        if subprocess.run(["pgrep", "-x", "cron"], check=False, capture_output=True).returncode == 0:
            yield None
            return
        with subprocess.Popen(["cron", "-f"]) as daemon:
            yield daemon
            daemon.terminate()
    finally:
        place.unlink()


def test_a_cron_daemon_starts_the_run_of_its_tick(project: Project, windlass: Callable[..., Output]) -> None:
    if not shutil.which("cron") or os.geteuid() != 0:
        missing("cron, or the right to start it")
    root = project({"pipelines/ticking.yaml": EVERY_MINUTE})
    command = f"{sys.executable} -m windlass"
    assert windlass("-C", root, "export", "cron", "--user", "root", "--command", command).code == 0
    with cron(root / "cron/crontab"):
        begun = datetime.now(UTC)
        until((root / "ticks.txt").exists, "cron has started a run", patience=180)
        until(lambda: '"success"' in windlass("-C", root, "runs", "--json").stdout, "the run has succeeded")
    tick, _, rest = (root / "ticks.txt").read_text().splitlines()[0].partition(" ")
    assert rest == "100%% 100% of it"
    minute = datetime.fromisoformat(tick) + timedelta(minutes=1)  # the data interval ends when it is started
    assert begun - timedelta(minutes=1) < minute <= datetime.now(UTC)
    (run, *_) = json.loads(windlass("-C", root, "runs", "--json").stdout)[-1:]
    assert run["run_key"] == tick


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not there")
def test_systemd_takes_the_units(project: Project, tmp_path: Path) -> None:
    root = project({"pipelines/a.yaml": PIPELINE})
    options = CronOptions(
        scheduler="systemd", project_path="/srv/p", command=shlex.join(["/opt/a b/windlass"])
    )
    texts = TARGET.render(compiled(load_project(root)), options)
    for name, text in texts.items():
        (tmp_path / Path(name).name).write_text(text)
    units = sorted(str(tmp_path / Path(name).name) for name in texts)
    done = subprocess.run(["systemd-analyze", "verify", *units], check=False, capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "windlass" in line]
    assert ours == []
    assert (
        'ExecStart=/usr/bin/env "/opt/a b/windlass" run a --fired-at now --no-dev'
        in texts["systemd/windlass-test-a.service"]
    )

"""By a real cron daemon: the very line of an exported crontab, but for its time, and for the tick that it names."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.checker import until
from tests.matrix.place import Place, RunFailedError
from tests.matrix.way import NotHereError, Way
from tests.targets.test_cron import cron
from windlass.processes.environment import inherited

__all__ = ["by_cron"]


@contextmanager
def by_cron() -> Iterator[Way]:
    if not shutil.which("cron") or os.geteuid() != 0:
        raise NotHereError("no cron, or no right to start it")
    yield _run


def _run(place: Place) -> None:
    place.leave_others_out()
    place.write_addresses()
    if place.plan.schedule == "none":
        place.schedule("@daily")
    place.done("export", "cron", "--user", "root", "--command", f"{sys.executable} -m windlass")
    crontab = place.root / "cron" / "crontab"
    text = crontab.read_text(encoding="utf-8")
    of_it = re.compile(rf"^[^#\n]+ root  (.* run {place.pipeline} .*)$", re.MULTILINE)
    (command,) = of_it.findall(text)
    command = command.replace("--fired-at now", f"--fired-at {place.tick} --workspace {place.root}")
    # cron hands nothing on of what says here where programs and packages come from
    heading = "".join(f"{name}={value}\n" for name, value in inherited(os.environ).items())
    crontab.write_text(f"{heading}* * * * * root  {command}\n", encoding="utf-8")
    with cron(crontab):
        until(lambda: _ended(place), "cron has started a run, and that has ended", patience=300)
    (state,) = {run["status"] for run in _runs(place)[-1:]}
    if state != ("failed" if place.fails else "success"):
        raise RunFailedError(f"the run that cron has started is {state}")


def _ended(place: Place) -> bool:
    return any(run["status"] in ("success", "failed") for run in _runs(place))


def _runs(place: Place) -> list[dict[str, str]]:
    return list(json.loads(place.done("runs", "--json")))

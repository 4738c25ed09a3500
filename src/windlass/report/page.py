"""Facts to HTML: Jinja over the files in templates/, with every value escaped and made visible.

The page has no script and loads nothing; a Content-Security-Policy in it says so to the browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from windlass import __version__, drawing, units
from windlass.drawing.picture import STATE_ICONS
from windlass.logs import mask
from windlass.printable import printable
from windlass.report.chart import Chart, chart
from windlass.report.clipping import clipped
from windlass.report.facts import RunFacts

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["render"]


def render(runs: Sequence[RunFacts], project: str) -> str:
    """The page for these runs, of which there is at least one."""
    from markupsafe import Markup

    anchors = {run.record.run_id: run.anchor for run in runs}

    def picture(run: RunFacts) -> Markup | None:
        if run.plan is None or not run.plan.tasks:
            return None
        states = {task.record.task: task.record.status for task in run.tasks}
        links = {task.record.task: f"#{task.anchor}" for task in run.tasks}
        return Markup(drawing.svg(run.plan, states, lambda name: links.get(name, f"#{run.anchor}")))

    def chart_of(run: RunFacts) -> Chart:
        return chart(run)

    page = _environment().get_template("report.html")
    return page.render(
        runs=runs,
        project=project,
        anchors=anchors,
        picture=picture,
        chart_of=chart_of,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("windlass.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": units.number,
        "size": units.size,
        "duration": units.duration,
        "stamp": _stamp,
        "said": _said,
        "clipped": clipped,
    }
    environment.globals["icons"] = STATE_ICONS
    return environment


def _visible(value: object) -> object:
    """Text without secrets and terminal codes, and with a picture of each character that a page cannot show."""
    if value is None:
        return ""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return printable(mask(value))


def _stamp(moment: str) -> str:
    """An ISO 8601 time for people: `2026-03-01 06:00:00 UTC`."""
    text = moment[:19].replace("T", " ")
    zone = moment[19:].lstrip(".0123456789")
    return text + {"": "", "Z": " UTC", "+00:00": " UTC"}.get(zone, f" {zone}")


def _said(status: str) -> str:
    return status.replace("_", " ")

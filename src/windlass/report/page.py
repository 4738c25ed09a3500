"""Facts to HTML: Jinja over the files in templates/, with every value escaped and made visible.

The page has no script and loads nothing; a Content-Security-Policy in it says so to the browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from windlass import __version__, drawing
from windlass.pages import environment_of
from windlass.report.chart import Chart, chart
from windlass.report.facts import RunFacts

if TYPE_CHECKING:
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

    page = environment_of("windlass.report").get_template("report.html")
    return page.render(
        runs=runs,
        project=project,
        anchors=anchors,
        picture=picture,
        chart_of=chart_of,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
    )

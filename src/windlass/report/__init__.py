"""The report of a run: one self-contained HTML file, with no script and nothing to load.

facts.py        what is told of a run, read from the history and the run's folder
log_end.py      the end of an attempt's log, as lines to read
quarantine.py   rows in quarantine: how many of each reason, and the first of them
timeline.py     where each attempt stands in the chart
page.py         facts to HTML: Jinja with autoescape, over the files in templates/
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from windlass.files import beside, disk_errors, put, require_file_place, write_whole
from windlass.pages.place import require_place
from windlass.report.facts import collect
from windlass.report.page import render
from windlass.runner.history import History
from windlass.state_folder import StateFolder

__all__ = ["write_report"]


def write_report(project: Path, run_ids: Sequence[str], output: Path | None = None) -> Path:
    """Write the report of some runs, and of those that they triggered. Returns where it is.

    Without `output` that is beside the state of the run, or of the project where there are several runs.
    Raises UsageError for a run that does not exist, or for an `output` in whose place is something else than a page;
    FatalError or RetryableError if it cannot be written.
    """
    if output is not None:
        require_place(output)
    state = StateFolder.of(project)
    history = History(state)
    with history.kept_open():
        runs = [history.run(run_id) for run_id in dict.fromkeys(run_ids)]
        page = render(collect(history, state, runs), project.name).encode("utf-8", "replace")
    if output is None:
        target = state.run(runs[0].run_id).report if len(runs) == 1 else state.report
        with disk_errors(target):
            require_file_place(target)
            # it has rows in it; what the power takes can be made again
            write_whole(target, page, private=True, durable=False)
        return target
    temporary = beside(output, f".{os.getpid()}.tmp")
    with disk_errors(output):
        try:
            temporary.write_bytes(page)
            put(temporary, output)
        finally:
            temporary.unlink(missing_ok=True)
    return output

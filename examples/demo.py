"""Runs the example projects, each as a user would, and shows what they did: `make demo`."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from windlass.api.connections import NearConnections
from windlass.cli.display import print_table
from windlass.connections import variable
from windlass.errors import WindlassError

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
# projects with a connection that not every machine can have a dev service for
NOT_EVERYWHERE = {"ensembl": "ensembl-transformed"}
HEADER = ("pipeline", "task", "status", "read", "written", "quarantined", "bytes", "seconds", "path")


def main() -> int:
    """Run the pipelines one after the other. Returns the first exit code that is not 0."""
    stopped: list[int] = []  # by Ctrl-C, which the run that is going on gets, too: it ends in order
    signal.signal(signal.SIGINT, lambda number, _: stopped.append(number))
    begun, code = time.monotonic(), 0
    runs, reports, left_out = [], [], []
    for project, pipeline in PIPELINES:
        click.echo(f"\n$ {command(project, 'run', pipeline)}", err=True)
        with NearConnections(EXAMPLES / project) as connections:
            if project in NOT_EVERYWHERE and (why := why_not(connections, NOT_EVERYWHERE[project])):
                left_out.append(f"left out: {project}: {why}")
                continue
            failed, output = follow(project, "run", pipeline, "--json")
        if stopped:
            return 130
        code = code or failed
        if output:
            document = json.loads(output)
            runs += run_and_triggered(project, document["run_id"])
            reports += [document["report"]] if document["report"] else []
    click.echo()
    print_table(HEADER, [row(run["pipeline"], task) for run in runs for task in run["tasks"]])
    click.echo(f"\n{len(runs)} runs in {time.monotonic() - begun:.0f} s")
    for line in left_out:
        click.echo(line)
    for report in reports:
        click.echo(f"report: {os.path.relpath(report)}")
    if (picture := EXAMPLES / "drugs" / "processed_data" / "graph.html").exists():
        click.echo(f"picture: {picture}")
    click.echo("\n  ".join(["\nnext, try", *try_next(runs)]))
    return code


def why_not(connections: NearConnections, name: str) -> str | None:
    """Why the connection is not to be had, in a line; else a dev service that stands in has started."""
    try:
        connections.address(name)
    except WindlassError as exc:
        first, *others = exc.message.splitlines()
        return f"{first} {'; '.join(line.strip() for line in others)}".strip()
    return None


def command(project: str, *arguments: str) -> str:
    """A command line, as it can be pasted into a shell."""
    return shlex.join([WINDLASS, "-C", str(EXAMPLES / project), *arguments])


def follow(project: str, *arguments: str) -> tuple[int, str]:
    """Run a command. A terminal sees its progress; anything else one line for each thing that happens."""
    of_others = {variable(name) for other, name in NOT_EVERYWHERE.items() if other != project}
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
    _, output = follow(project, "runs", "--json")
    runs: list[dict[str, Any]] = json.loads(output or "[]")
    return [run for run in reversed(runs) if run_id in (run["run_id"], run["parent"])]


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
    sys.exit(main())

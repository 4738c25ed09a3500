"""What happened: `runs`, `logs` and `report`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from windlass.cli.echo import echo, echo_json
from windlass.cli.main import App
from windlass.cli.options import complete_pipeline, complete_run, complete_task, json_option
from windlass.kept_log import read_log
from windlass.status import Status
from windlass.units import number

if TYPE_CHECKING:
    from windlass.runner.history import History, Run
    from windlass.state_folder import StateFolder

__all__ = ["history_of", "logs_command", "report_command", "runs_command"]


def history_of(app: App) -> History:
    """The history of the project."""
    from windlass.runner.history import History
    from windlass.state_folder import StateFolder

    return History(StateFolder.of(app.project))


class _Runs(click.Group):
    """`windlass runs` lists them, also of a pipeline, without the word `list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args and (args[0] in self.commands or args[0] in ("-h", "--help"))
        return super().parse_args(ctx, args if named else ["list", *args])


@click.group("runs", cls=_Runs)
def runs_command() -> None:
    """List the latest runs, of one pipeline or of all, or remove old ones: `runs`, `runs PIPELINE`, `runs prune`."""


@runs_command.command("list")
@click.argument("pipeline", required=False, shell_complete=complete_pipeline)
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="Show at most this many."
)
@json_option
@click.pass_obj
def runs_list_command(app: App, pipeline: str | None, limit: int, *, as_json: bool) -> int:
    """List the latest runs, of one PIPELINE or of all. The word `list` may be left out."""
    from windlass.cli.display import print_table

    history = history_of(app)
    runs = history.runs(pipeline, limit)
    if as_json:
        documents = [asdict(run) | {"tasks": _tasks(history, run)} for run in runs]
        echo_json(json.dumps(documents, indent=2, default=str))
    elif not runs:
        echo(f"no run of {pipeline!r} yet" if pipeline else "nothing has run yet")
    else:
        print_table(
            ("run", "pipeline", "status", "started", "seconds", "tasks"), [_row(history, run) for run in runs]
        )
    return 0


@runs_command.command("prune")
@click.option("--keep", type=click.IntRange(0), metavar="N", help="Keep the latest N runs of each pipeline.")
@click.option(
    "--older-than", metavar="TIME", help="Remove only runs that began longer ago than this, such as 30d."
)
@click.option(
    "--pipeline", shell_complete=complete_pipeline, help="Only runs of this pipeline. Default: all pipelines."
)
@json_option
@click.pass_obj
def prune_command(
    app: App, keep: int | None, older_than: str | None, pipeline: str | None, *, as_json: bool
) -> int:
    """Remove old runs with their logs and reports. Those with rows in quarantine stay."""
    from windlass.errors import UsageError
    from windlass.runner.pruning import prune
    from windlass.units import parse_duration

    if keep is None and older_than is None:
        raise UsageError("which runs?", hint="say --keep N, --older-than TIME, or both")
    try:
        seconds = parse_duration(older_than) if older_than is not None else None
    except ValueError as exc:
        message = f"--older-than: {older_than!r} is not a valid duration"
        raise UsageError(message, hint="expected one such as 30d or 12h") from exc
    done = prune(_state(app), history_of(app), keep=keep, older_than=seconds, pipeline=pipeline)
    if as_json:
        echo_json(json.dumps(asdict(done), indent=2))
        return 0
    echo(f"{number(len(done.removed))} {'run' if len(done.removed) == 1 else 'runs'} removed")
    for run in done.quarantined:
        echo(f"{run} stays: it has rows in quarantine, which `windlass quarantine` shows and replays")
    return 0


def _tasks(history: History, run: Run) -> list[dict[str, object]]:
    from windlass.cli.display import task_document

    return [task_document(task) for task in history.tasks(run.run_id)]


def _row(history: History, run: Run) -> tuple[str, ...]:

    tasks = history.tasks(run.run_id)
    done = sum(task.status == Status.SUCCESS for task in tasks)
    seconds = f"{run.seconds:.1f}" if run.seconds is not None else ""
    return (
        run.run_id,
        run.pipeline,
        run.status,
        run.started[:19].replace("T", " "),
        seconds,
        f"{done}/{len(tasks)}",
    )


@click.command("logs")
@click.argument("run", shell_complete=complete_run)
@click.argument("task", required=False, shell_complete=complete_task)
@click.option("--attempt", type=click.IntRange(1), help="Show only this attempt. Default: all of them.")
@json_option
@click.pass_obj
def logs_command(app: App, run: str, task: str | None, attempt: int | None, *, as_json: bool) -> int:
    """Show the log of RUN (an id, or a unique prefix of one), or of one of its tasks."""
    from windlass.errors import Code, UsageError, did_you_mean

    history = history_of(app)
    record = history.run(run)
    names = [t.task for t in history.tasks(record.run_id)]
    if task is not None and task not in names:
        message = f"run {record.run_id} has no task {task!r}"
        raise UsageError(message, hint=did_you_mean(task, names), code=Code.UNKNOWN_TASK)
    lines = [
        line
        for a in history.attempts(record.run_id, task)
        if attempt is None or a.number == attempt
        for line in _lines(_state(app).run(record.run_id).log(a.task, a.number))
    ]
    if as_json:
        echo_json("[\n" + ",\n".join(lines) + "\n]")
        return 0
    _show(lines)
    return 0


def _show(lines: list[str]) -> None:
    if not sys.stdout.isatty():
        if lines:
            echo_json("\n".join(lines))
        return
    from rich.console import Console

    from windlass.cli.display import TerminalLog

    log = TerminalLog(Console(highlight=False))
    for line in lines:
        log.show(json.loads(line))


def _lines(file: Path) -> list[str]:
    return [line.decode("utf-8", "replace").rstrip("\n") for line in read_log(file)]


def _state(app: App) -> StateFolder:
    from windlass.state_folder import StateFolder

    return StateFolder.of(app.project)


@click.command("report")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=complete_run)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it. Default: beside the state of the run.",
)
@click.pass_obj
def report_command(app: App, runs: tuple[str, ...], output: Path | None) -> int:
    """Write the report of each RUN, or of the latest: a single HTML file. Prints its path.

    The report includes the runs that it triggered.
    """
    from windlass.report import write_report

    history = history_of(app)
    found = [history.run(run) for run in runs] or [_latest(history)]
    echo(str(write_report(app.project, [run.run_id for run in found], output)))
    return 0


def _latest(history: History) -> Run:
    """The run that was started last, or whose trigger started it. Raises UsageError when there is none."""
    from windlass.errors import Code, UsageError

    latest = history.runs(limit=1)
    if not latest:
        hint = "run a pipeline with: windlass run"
        raise UsageError("nothing has run yet", hint=hint, code=Code.UNKNOWN_RUN)
    run = latest[0]
    while run.parent is not None:
        run = history.run(run.parent)
    return run

"""`windlass run`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from windlass import logs
from windlass.cli.main import App
from windlass.cli.options import (
    check_memory,
    complete_pipeline,
    complete_run,
    complete_task,
    json_option,
    memory_option,
    parse_params,
)
from windlass.cli.planned import compile_one
from windlass.errors import ExitCode, RetryableError, UsageError, WindlassError
from windlass.status import Status

__all__ = ["run_command"]


def _told_as_task(run: Callable[..., int]) -> Callable[..., int]:
    """The runner of a run that triggers another is told what keeps that from beginning."""

    @wraps(run)
    def told(app: App, *, as_task: bool, **options: Any) -> int:
        try:
            return run(app, as_task=as_task, **options)
        except WindlassError as exc:
            if not as_task:
                raise
            retryable = isinstance(exc, RetryableError)
            record = {"event": "failed", "level": "error", "error": str(exc), "retryable": retryable}
            click.echo(json.dumps(logs.masked(record)))
            return int(exc.exit_code)

    return told


@click.command("run")
@click.argument("pipeline", required=False, shell_complete=complete_pipeline)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    shell_complete=complete_task,
    help="Run only this task. Repeatable.",
)
@click.option(
    "--from",
    "start",
    metavar="TASK",
    shell_complete=complete_task,
    help="Run this task and all that need it.",
)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter. Repeatable.")
@click.option("--logical-date", metavar="DATE", help="Run as the schedule would for this date.")
@click.option(
    "--resume",
    metavar="RUN",
    shell_complete=complete_run,
    help="Take a run up again: only what did not succeed.",
)
@click.option(
    "--parallel", type=click.IntRange(1, 64), help="How many tasks at once. Default: one a core, at least 2."
)
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where files go. Default: the project.",
)
@click.option(
    "--runtime",
    default="process",
    show_default=True,
    metavar="NAME",
    help="What executes the tasks. More than processes come with packages.",
)
@click.option("--force", is_flag=True, help="Append even if the same run already did, from another input.")
@click.option("--params-json", hidden=True, help="Parameters as a JSON object.")
@click.option("--parent", hidden=True, help="The run whose trigger this is.")
@click.option("--as-task", is_flag=True, hidden=True, help="Print what a runner reads.")
@memory_option
@json_option
@click.pass_obj
@_told_as_task
def run_command(
    app: App,
    pipeline: str | None,
    tasks: tuple[str, ...],
    start: str | None,
    params: tuple[str, ...],
    logical_date: str | None,
    resume: str | None,
    parallel: int | None,
    workspace: Path | None,
    memory: str | None,
    runtime: str,
    params_json: str | None,
    parent: str | None,
    *,
    force: bool,
    as_task: bool,
    as_json: bool,
) -> int:
    """Run PIPELINE on this machine, with what it needs.

    A connection that is not configured becomes a dev service: a database that is started for the run.
    PIPELINE may be left out when the project has only one.
    """
    from windlass.cli.display import display_for, print_result
    from windlass.plan.schedule import parse_logical_date, tick_of
    from windlass.runner import History, Runner, RunOptions, here
    from windlass.state_folder import StateFolder

    project = app.project
    check_memory(memory)
    earlier = History(StateFolder.of(project)).run(resume) if resume else None
    values = parse_params(params, params_json)
    if earlier is not None:
        if pipeline not in (None, earlier.pipeline):
            raise UsageError(f"--resume: {earlier.run_id} is a run of {earlier.pipeline}, not of {pipeline}")
        if logical_date is not None:
            raise UsageError("--resume: the run has its logical date; leave out --logical-date")
        pipeline, values = earlier.pipeline, {**earlier.params, **values}
    plan = compile_one(project, pipeline, values)
    moment = None
    if logical_date is not None:
        # the date of a run that triggers this one need not be a tick of this schedule
        by_parent = parent is not None
        moment = (
            parse_logical_date(logical_date)
            if by_parent
            else tick_of(logical_date, plan.schedule, plan.timezone)
        )
    folder = workspace.resolve() if workspace else None
    world = here(plan, project, workspace=folder, runtime=runtime, memory=memory)
    options = RunOptions(
        logical_date=moment,
        only=tasks,
        start=start,
        resume=earlier,
        memory=memory,
        force=force,
        parent=parent,
        **({"parallel": parallel} if parallel else {}),
    )
    with display_for(quiet=as_task) as display:
        result = Runner(plan, world, options, display).run()
    if as_task:
        _print_as_task(result)
    else:
        print_result(result, _report(project, result.run.run_id), as_json=as_json)
        _prune(project, plan.pipeline)
    return int(result.exit_code)


def _report(project: Path, run_id: str) -> Path | None:
    """The report of a run that has ended. That it cannot be written does not change what became of the run."""
    from windlass.report import write_report

    try:
        return write_report(project, [run_id])
    except WindlassError as exc:
        logs.warning("no_report", error=str(exc))
        return None


def _prune(project: Path, pipeline: str) -> None:
    """Remove runs of long ago. That they cannot be does not change what became of this one."""
    from windlass.runner.history import History
    from windlass.runner.pruning import KEPT, prune
    from windlass.state_folder import StateFolder

    try:
        state = StateFolder.of(project)
        keep = int(os.environ.get("WINDLASS_KEEP_RUNS") or KEPT)
        if keep > 0:
            prune(state, History(state), keep=keep, pipeline=pipeline)
    except (WindlassError, OSError, ValueError) as exc:
        logs.warning("not_pruned", error=str(exc))


def _print_as_task(result: Any) -> None:
    """The result of a triggered run, for the runner of the run that triggered it."""
    sums = {
        name: sum(getattr(task, name) or 0 for task in result.tasks)
        for name in ("rows_read", "rows_written", "rows_quarantined", "bytes")
    }
    record = {"event": "result", **sums, "path": "nested run", "detail": {"run_id": result.run.run_id}}
    click.echo(json.dumps(record))
    failed = [f"{task.task}: {task.error}" for task in result.tasks if task.status == Status.FAILED]
    if failed and result.exit_code != ExitCode.SUCCESS:
        retryable = result.exit_code == ExitCode.RETRYABLE
        error = f"run {result.run.run_id} failed: {'; '.join(failed)}"
        click.echo(json.dumps({"event": "failed", "level": "error", "error": error, "retryable": retryable}))

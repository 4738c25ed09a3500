"""`windlass run`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass import logs
from windlass.api.arguments import memory_text
from windlass.cli.echo import echo_json
from windlass.cli.main import App
from windlass.cli.options import (
    arguments_as_options,
    complete_pipeline,
    complete_rehearsal_target,
    complete_run,
    complete_runtime,
    complete_task,
    json_option,
    memory_option,
    parse_params,
)
from windlass.codes import Code
from windlass.errors import ExitCode, RetryableError, UsageError, WindlassError
from windlass.status import Status

if TYPE_CHECKING:
    from windlass.runner import Result

__all__ = ["run_command"]

_NOT_FOUND = (Code.NO_TABLE, Code.NO_COLUMN, Code.NO_FILE)


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
            echo_json(json.dumps(logs.masked(record)))
            return int(exc.exit_code)

    return told


@click.command("run")
@click.argument("pipeline", required=False, shell_complete=complete_pipeline)
@click.option(
    "--task",
    "only",
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
@click.option("--logical-date", metavar="DATE", help="Run what the schedule would run for this date.")
@click.option(
    "--fired-at",
    metavar="TICK",
    help="Run as a scheduler that fires at this tick: a time, `now`, or the Job of a CronJob. The data interval ends with it.",
)
@click.option(
    "--plan",
    type=click.Path(path_type=Path),
    callback=lambda _ctx, _param, path: path and path.absolute(),
    help="Read the plan from this file, as an export or `windlass compile` writes it, instead of the project.",
)
@click.option(
    "--resume",
    metavar="RUN",
    shell_complete=complete_run,
    help="Resume this run: only what did not succeed runs again.",
)
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    help="The number of tasks to run in parallel. Default: one per core, at least 2.",
)
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    callback=lambda _ctx, _param, path: path and path.resolve(),
    help="Where files go. Default: the project.",
)
@click.option(
    "--runtime",
    metavar="NAME",
    shell_complete=complete_runtime,
    help="The runtime of `run` and `service` tasks, such as `process` or `docker`. Default: as the project's files say.",
)
@click.option("--force", is_flag=True, help="Append even if the same run has already appended other input.")
@click.option(
    "--no-dev", "no_dev", is_flag=True, help="Start no dev services: fail if a connection is not configured."
)
@click.option(
    "--as",
    "target",
    metavar="TARGET",
    shell_complete=complete_rehearsal_target,
    help="Rehearse an export to this target, such as kubernetes or argo: run the text of it on the container engine here, and compare it with the plan.",
)
@click.option("--params-json", hidden=True, help="Parameters as a JSON object.")
@click.option("--parent", hidden=True, help="The run whose trigger this is.")
@click.option("--unattended", is_flag=True, hidden=True, help="The run whose trigger this is does not wait.")
@click.option("--as-task", is_flag=True, hidden=True, help="Print what a runner reads.")
@memory_option
@json_option
@click.pass_obj
@_told_as_task
def run_command(
    app: App,
    /,
    target: str | None,
    params: tuple[str, ...],
    params_json: str | None,
    memory: str | None,
    *,
    no_dev: bool,
    unattended: bool,
    as_task: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """Run PIPELINE on this machine, with what it needs.

    A connection that is not configured becomes a dev service: a database that is started for the run.
    PIPELINE may be left out when the project has only one.
    """
    given = parse_params(params, params_json)
    if target is not None:
        _refuse_unrehearsed(asked | {"memory": memory})
        return _rehearsed(app, target, given, asked, dev=not no_dev, as_json=as_json)
    from windlass.api.running import RunRequest, prune_after, report_of, run_pipeline
    from windlass.cli.display import display_for, print_result

    with arguments_as_options():
        request = RunRequest(
            project=app.project,
            params=given,
            memory=memory_text(memory),
            dev=not no_dev,
            is_awaited=not unattended,
            **asked,
        )
        result = run_pipeline(request, display_for(quiet=as_task))
    if as_task:
        _print_as_task(result)
    else:
        report = report_of(request.project, result.run.run_id)
        places, messages = _places(request.project, result), _messages(request.project, result)
        print_result(result, report, places, messages, as_json=as_json)
        prune_after(request.project, result.run.pipeline)
    return int(result.exit_code)


_REHEARSED = ("pipeline", "fired_at", "workspace")


def _refuse_unrehearsed(asked: Mapping[str, Any]) -> None:
    """Raise UsageError for an option that holds for a run and not for a rehearsal."""
    options = {option.name: option.opts[0] for option in click.get_current_context().command.params}
    refused = [options[name] for name, value in asked.items() if value and name not in _REHEARSED]
    if refused:
        raise UsageError(f"--as takes no {' or '.join(refused)}: it runs the whole of an export")


def _rehearsed(
    app: App,
    target: str,
    params: Mapping[str, Any],
    asked: Mapping[str, Any],
    *,
    dev: bool,
    as_json: bool,
) -> int:
    """Run what an export to the target would write, on the engine of this machine."""
    from windlass.cli.rehearsed import print_rehearsal, told
    from windlass.rehearsing import rehearse

    with told() as tell:
        found = rehearse(
            app.project,
            target=target,
            tell=tell,
            params=params,
            dev=dev,
            **{name: asked[name] for name in _REHEARSED},
        )
    print_rehearsal(found, as_json=as_json)
    return int(found.exit_code)


def _messages(project: Path, result: Result) -> dict[str, Path]:
    """Where the dev services that were told something have kept it."""
    from windlass.devservices import MESSAGES
    from windlass.state_folder import StateFolder

    state = StateFolder.of(project)
    files = {name: state.dev_service(name) / MESSAGES for name in result.run.dev_services}
    return {name: file for name, file in files.items() if file.exists()}


def _places(project: Path, result: Result) -> dict[str, str]:
    """Where the pipeline file names what tasks did not find."""
    missed = [t for t in result.tasks if t.error and t.status == Status.FAILED and t.code in _NOT_FOUND]
    if not missed:
        return {}
    from windlass.spec import load_project
    from windlass.spec.places import place_of

    try:
        file = load_project(project, result.run.pipeline).pipelines.get(result.run.pipeline)
    except WindlassError:  # it has changed since
        file = None
    found = {t.task: place_of(file.document, t.task, t.error or "") for t in missed} if file else {}
    return {task: place for task, place in found.items() if place is not None}


def _print_as_task(result: Any) -> None:
    """The result of a triggered run, for the runner of the run that triggered it."""
    sums = {
        name: sum(getattr(task, name) or 0 for task in result.tasks)
        for name in ("rows_read", "rows_written", "rows_quarantined", "bytes")
    }
    record = {"event": "result", **sums, "path": "nested run", "detail": {"run_id": result.run.run_id}}
    echo_json(json.dumps(record))
    failed = [f"{task.task}: {task.error}" for task in result.tasks if task.status == Status.FAILED]
    if failed and result.exit_code != ExitCode.SUCCESS:
        retryable = result.exit_code == ExitCode.RETRYABLE
        error = f"run {result.run.run_id} failed: {'; '.join(failed)}"
        echo_json(json.dumps({"event": "failed", "level": "error", "error": error, "retryable": retryable}))

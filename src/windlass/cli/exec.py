"""`windlass exec`: one task in this process, as every scheduler starts it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from windlass import logs, tracing
from windlass.api.arguments import memory_text
from windlass.cli.main import App, say
from windlass.cli.options import (
    arguments_as_options,
    complete_pipeline,
    complete_task,
    memory_option,
    parse_params,
)
from windlass.cli.planned import plan_to_execute
from windlass.cost_log import keeping_costs
from windlass.errors import DefectError, ExitCode, RetryableError, UsageError, as_error
from windlass.plan.instances import ENTRY
from windlass.plan.model import Plan, Service
from windlass.request_log import keeping_requests
from windlass.stopping import StoppedError, in_place_of

if TYPE_CHECKING:
    from windlass.connectors.source import Part
    from windlass.tasks import Context, TaskResult

__all__ = ["exec_command"]


@click.command("exec")
@click.argument("pipeline", shell_complete=complete_pipeline)
@click.argument("task", shell_complete=complete_task)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    help="Read the plan from this file: that of a pipeline, or those of a whole export.",
)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a parameter. Repeatable.")
@click.option(
    "--logical-date", metavar="DATE", help="The logical date of the run. Default: WINDLASS_LOGICAL_DATE."
)
@click.option("--force", is_flag=True, help="Append even if the same run has already appended other input.")
@click.option(
    "--start", is_flag=True, help="Start the service, wait until it is ready, and leave it running."
)
@click.option("--stop", is_flag=True, help="Stop the service that --start left running.")
@click.option(
    "--parts",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Copy nothing: list the parts of a copy with `partition`, for a task each; into FILE if one is named.",
)
@click.option(
    "--part",
    metavar="JSON",
    help="Copy only this part, one of those that --parts has listed. Default: WINDLASS_PART.",
)
@click.option(
    "--entries",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Execute nothing: list the entries of a task with `for_each: {of: …}`, into FILE if one is named.",
)
@click.option(
    "--entry",
    metavar="JSON",
    help="Execute the task of this entry, one of those that --entries has listed. Default: WINDLASS_ENTRY.",
)
@click.option(
    "--hand-on",
    "handing_on",
    metavar="FOLDER",
    help="Execute nothing: write into FOLDER what a `trigger` passes to the run that it starts.",
)
@click.option(
    "--settle", hidden=True, help="Copy nothing: say whether one of these load ids (a,b,c) committed."
)
@memory_option
@click.pass_obj
def exec_command(app: App, /, pipeline: str, task: str, **asked: Any) -> int:
    """Execute one TASK of PIPELINE in this process: what every scheduler starts.

    Its plan and who it is part of come from the environment: WINDLASS_PLAN, WINDLASS_RUN_ID,
    WINDLASS_LOGICAL_DATE, WINDLASS_WORKSPACE, WINDLASS_PARAMS, WINDLASS_ENTRY, WINDLASS_CONN_<NAME>. Without a
    plan the project is compiled. There are no dev services here.
    """
    from windlass.tasks.executing import for_entry

    _log_to_stdout()
    request = _Request(**asked)
    plan, succeeded = None, False
    with logs.bind(pipeline=pipeline, task=task), keeping_requests() as requests, keeping_costs() as costs:
        try:
            project = app.project
            request.check()
            plan = plan_to_execute(project, pipeline, task, request.plan_file, parse_params(request.params))
            if request.entry is not None:
                os.environ[ENTRY] = request.entry  # a command finds it there
            if request.entries is None:
                plan, task = for_entry(plan, task, request.entry, os.environ)
            result = _result(request, plan, task, project)
            succeeded = True
        except (Exception, StoppedError) as exc:  # noqa: BLE001 - whatever it is, whoever started us is told
            with _traced():
                return _failed(in_place_of(exc), requests.as_detail() | costs.as_detail(), debug=app.debug)
        finally:
            if plan is not None:
                _note_quarantine(plan, task, project, request.logical_date, succeeded=succeeded)
        result.detail |= requests.as_detail() | costs.as_detail()
        with _traced():
            logs.info("result", **asdict(result))
    return int(ExitCode.SUCCESS)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What the options say."""

    plan_file: Path | None
    params: tuple[str, ...]
    logical_date: str | None
    settle: str | None
    memory: str | None
    parts: str | None
    part: str | None
    entries: str | None
    entry: str | None
    handing_on: str | None
    force: bool
    start: bool
    stop: bool

    def check(self) -> None:
        """Raise UsageError for what makes no sense."""
        with arguments_as_options():
            memory_text(self.memory)
        texts = (self.parts, self.part, self.entries, self.entry, self.handing_on)
        if sum((self.start, self.stop, *(text is not None for text in texts))) > 1:
            options = "--start, --stop, --parts, --part, --entries, --entry and --hand-on"
            raise UsageError(f"{options} exclude each other")


def _result(request: _Request, plan: Plan, task: str, project: Path) -> TaskResult:
    """Do what is asked for: execute the task, or list, settle, start or stop."""
    from windlass.tasks.executing import context_of, execute_task

    date = request.logical_date
    if request.entries is not None:
        return _listed(plan, task, project, date, request.entries)
    if request.handing_on is not None:
        return _handed_on(plan, task, project, date, Path(request.handing_on))
    if request.start or request.stop:
        context = context_of(plan, task, project, os.environ, date)
        return _service(plan, task, context, start=request.start)
    execute = partial(
        execute_task,
        plan,
        task,
        project,
        os.environ,
        date,
        memory=request.memory,
        force=request.force,
        settle=request.settle.split(",") if request.settle else (),
        split=request.parts is not None,
        part=_part(request.part) if request.parts is None else None,
    )
    if request.parts is not None:
        result = execute()
        _write_parts(result, request.parts)
        return result
    return execute() if request.settle is not None else _told(execute, plan, task, project, date)


def _part(text: str | None) -> Part | None:
    """The part to copy; None for all of a task."""
    from windlass.engine.ledger import part_from_json

    said = text or os.environ.get("WINDLASS_PART")
    return part_from_json(said) if said else None


def _write_parts(result: TaskResult, into: str) -> None:
    """Write the parts into a file, for Argo, as `_listed` writes entries."""
    from windlass.files import write_whole
    from windlass.plan.instances import escaped

    if into != "-":
        text = json.dumps(result.detail["parts"], ensure_ascii=False)
        write_whole(Path(into), escaped(text, "$$"))


def _listed(plan: Plan, task: str, project: Path, logical_date: str | None, into: str) -> TaskResult:
    """List the entries of a task; in a file, too, for Argo, which reads them there.

    There they are objects: of an item that is text, Argo escapes quotes once more than it takes back. Of objects it writes the
    JSON anew, without our escapes.
    """
    from windlass.files import write_whole
    from windlass.plan.instances import from_text, to_text
    from windlass.tasks.executing import list_entries

    result = list_entries(plan, task, project, os.environ, logical_date)
    if into != "-":
        found = [to_text(from_text(entry), "$$") for entry in result.detail["entries"]]
        write_whole(Path(into), f"[{', '.join(found)}]")
    return result


def _handed_on(plan: Plan, task: str, project: Path, logical_date: str | None, into: Path) -> TaskResult:
    """Say what the run is told that a trigger starts, a file each, as Argo reads them. In the parameters nothing is left that
    Kubernetes or Argo would fill in.
    """
    from windlass.files import write_whole
    from windlass.plan.instances import escaped
    from windlass.tasks.executing import hand_on

    result = hand_on(plan, task, project, os.environ, logical_date)
    texts = {**result.detail, "params": escaped(json.dumps(result.detail["params"], ensure_ascii=False))}
    for name, text in texts.items():
        write_whole(into / f"windlass-{name.replace('_', '-')}", text)
    return result


def _told(
    execute: Callable[[], TaskResult], plan: Plan, task: str, project: Path, logical_date: str | None
) -> TaskResult:
    """Execute the task; who wants to be told of it is."""
    from windlass.observers import is_observed

    if not is_observed():
        with _traced():
            return execute()
    from windlass.observers.one_task import observed_task
    from windlass.tasks.executing import context_of

    context = context_of(plan, task, project, os.environ, logical_date)
    os.environ["WINDLASS_RUN_ID"] = context.run_id  # also where nobody has given it one
    with observed_task(plan, task, context) as note, _traced():
        result = execute()
        note(result)
    return result


def _traced() -> AbstractContextManager[None]:
    """Log lines say which trace they belong to, if there is one by now."""
    return logs.bind(**tracing.ids_of(os.environ))


def _note_quarantine(
    plan: Plan, task: str, project: Path, logical_date: str | None, *, succeeded: bool
) -> None:
    """Note the run when the task has quarantined rows: no runner of ours has, and those are to be replayed."""
    from windlass.state_folder import StateFolder

    run_id = os.environ.get("WINDLASS_RUN_ID")
    if not run_id or not any(StateFolder.of(project).run(run_id).quarantine(task).parent.glob("*.ndjson")):
        return
    from windlass.runner.quarantine import note_run
    from windlass.tasks.executing import context_of

    note_run(project, plan, context_of(plan, task, project, os.environ, logical_date), succeeded=succeeded)


def _service(plan: Plan, name: str, context: Context, *, start: bool) -> TaskResult:
    from windlass.runner.detached import start_detached, stop_detached
    from windlass.tasks.executing import task_of

    task = task_of(plan, name)
    if not isinstance(task.action, Service):
        raise UsageError(f"--start and --stop are for services, and {name!r} is a {task.kind} task")
    if start:
        return start_detached(task, context)
    return stop_detached(name, context)


def _failed(exc: BaseException, spent: dict[str, object], *, debug: bool) -> int:
    """Say as an event what went wrong; the traceback where it was asked for, or where we are to blame. `spent` is what it asked and cost until then."""
    from windlass.tasks.command import CommandFailedError

    if sys.stdout.isatty():
        return say(exc)
    if isinstance(exc, StoppedError):  # whoever wanted the task to end does not try again; others shall
        logs.error("failed", error=str(exc), retryable=True)
        return exc.exit_code
    error = as_error(exc)
    if debug or isinstance(error, DefectError):
        import traceback

        logs.debug("traceback", text="".join(traceback.format_exception(exc)))
    if isinstance(exc, CommandFailedError):
        if not exc.said:  # of a command nobody knows whether another try makes sense: the pipeline decides
            logs.error("failed", error=str(exc), code=exc.code, retryable=True)
        return exc.status
    checks = getattr(exc, "results", None)
    detail = {"checks": [asdict(item) for item in checks]} if checks else {}
    logs.error(
        "failed",
        error=str(error),
        code=error.code,
        retryable=isinstance(error, RetryableError),
        detail=detail | spent or None,
    )
    return int(error.exit_code)


def _log_to_stdout() -> None:
    """Log lines on stdout: JSON for schedulers, text for people."""
    if sys.stdout.isatty():
        from windlass.cli.display import TerminalLog

        logs.emit_to(TerminalLog().show)
        return
    logs.emit_to(logs.json_lines(sys.stdout))

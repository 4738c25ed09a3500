"""One run of a pipeline on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from windlass import logs
from windlass.api.arguments import date_text, memory_text, project_of
from windlass.api.kept_plans import kept_or_compiled
from windlass.api.planning import read_plan
from windlass.connections import unknown_connections
from windlass.errors import Code, ExitCode, FatalError, RetryableError, UsageError, WindlassError
from windlass.observers.telling import Around, observed
from windlass.plan.model import Plan
from windlass.plan.schedule import dates_of_start, parse_logical_date, tick_of
from windlass.runner import History, Result, Runner, RunOptions, here
from windlass.runner.events import Observer, SilentObserver
from windlass.runner.history import TaskRun
from windlass.state_folder import StateFolder
from windlass.status import Status
from windlass.stopping import StoppedError

if TYPE_CHECKING:
    from windlass.api.results import RunResult, TaskRunResult

__all__ = ["RunRequest", "prune_after", "report_of", "run", "run_pipeline"]

# a time is none: it begins with a year
_JOB_NAME = re.compile(r"(?!\d{4}-\d)[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def run(
    project: str | Path = ".",
    pipeline: str | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    logical_date: datetime | date | str | None = None,
    tasks: Sequence[str] = (),
    start: str | None = None,
    resume: str | None = None,
    parallel: int | None = None,
    workspace: str | Path | None = None,
    runtime: str | None = None,
    memory: str | int | None = None,
    force: bool = False,
    dev: bool = True,
    check: bool = True,
) -> RunResult:
    """Run a pipeline on this machine, with what it needs, and wait for its end.

    A connection that is not configured becomes a dev service: a database that is started for the run.

    :param project: a folder with `windlass.yaml`, or one below it.
    :param pipeline: its name; may be left out when the project has only one.
    :param params: values of parameters; the others have their defaults.
    :param logical_date: run as the schedule would for this date. A time without a zone is UTC.
    :param tasks: only these tasks.
    :param start: this task, and all that need it.
    :param resume: the id of a run to take up again: only what did not succeed in it.
    :param parallel: how many tasks at once. Default: one a core, at least 2.
    :param workspace: where files go. Default: the project.
    :param runtime: what executes `run` and `service` tasks: `process`, `docker`. Default: as the files of the project say.
    :param memory: what each copy may use, such as `2GB`. Default: 512 MB.
    :param force: append even if the same run already did, from another input.
    :param dev: let dev services stand in for connections that are not configured; else those are an error.
    :param check: raise when the run does not succeed; otherwise the result says so.
    :raises WindlassError: SpecError for files, UsageError for arguments that make no sense. When the run failed,
        RetryableError if every task that failed may work later, else FatalError.
    :raises StoppedError: Ctrl-C or SIGTERM has stopped the run. Not an Exception, as KeyboardInterrupt is not.
    """
    request = RunRequest(
        project=project_of(project),
        pipeline=pipeline,
        params=dict(params or {}),
        logical_date=date_text(logical_date),
        only=(tasks,) if isinstance(tasks, str) else tuple(tasks),
        start=start,
        resume=resume,
        parallel=parallel,
        workspace=Path(workspace).resolve() if workspace is not None else None,
        runtime=runtime,
        memory=memory_text(memory),
        force=force,
        dev=dev,
    )
    ended = run_pipeline(request)
    result = _result(request.project, ended, report_of(request.project, ended.run.run_id))
    prune_after(request.project, ended.run.pipeline)
    if not check or result.status == Status.SUCCESS:
        return result
    raise StoppedError(ended.stopped_by) if ended.stopped_by is not None else _error(result)


class RunRequest(Struct, frozen=True, kw_only=True):
    """Which run is wanted. `project` is its very folder."""

    project: Path
    pipeline: str | None
    params: dict[str, Any] = field(default_factory=dict)
    logical_date: str | None = None
    only: tuple[str, ...] = ()
    start: str | None = None
    resume: str | None = None
    parallel: int | None = None
    workspace: Path | None = None
    runtime: str | None = None
    memory: str | None = None
    force: bool = False
    dev: bool = True
    parent: str | None = None
    """The run whose trigger this is."""

    is_awaited: bool = True
    """Whether that run waits for this one."""

    plan: Path | None = None
    """A file that has the plan, instead of the files of the project."""

    fired_at: str | None = None
    """The tick at which a scheduler starts it, in place of a logical date."""


def run_pipeline(request: RunRequest, display: AbstractContextManager[Observer] | None = None) -> Result:
    """Run what is asked for; the display is entered once nothing keeps the run from beginning. Raises WindlassError."""
    project = request.project
    earlier = History(StateFolder.of(project)).run(request.resume) if request.resume else None
    pipeline, values = request.pipeline, request.params
    if earlier is not None:
        if pipeline not in (None, earlier.pipeline):
            raise UsageError(f"`resume`: {earlier.run_id} is a run of {earlier.pipeline}, not of {pipeline}")
        if request.logical_date is not None:
            raise UsageError("`resume`: the run has its logical date; leave out `logical_date`")
        pipeline, values = earlier.pipeline, {**earlier.params, **values}
    if request.plan is not None:
        plan, connections = read_plan(request.plan, pipeline, values), None
    else:
        known = kept_or_compiled(project, pipeline, values)
        plan, connections = known.plan, known.connections
    logical_date, run_key = _when(request, plan)
    options = RunOptions(
        logical_date=logical_date,
        run_key=run_key,
        run_id=_run_id(request),
        only=request.only,
        start=request.start,
        resume=earlier,
        memory=request.memory,
        force=request.force,
        parent=request.parent,
        is_awaited=request.is_awaited,
        parallel=request.parallel,
    )
    world = here(
        plan,
        project,
        workspace=request.workspace,
        runtime=request.runtime,
        memory=request.memory,
        dev=request.dev,
        plan_file=request.plan,
    )
    Runner(plan, world, options).check()
    around = Around(project, request.workspace or project)
    with display or nullcontext(SilentObserver()) as shown, observed(around, shown) as observer:
        if request.parent is None and connections is not None:
            _tell_unknown_connections(project, connections)
        if request.parent is None:
            Thread(target=_import_report, daemon=True).start()
        return Runner(plan, world, options, observer).run()


def _import_report() -> None:
    """While the first task starts: the report is written when the last one has ended, and then somebody waits for it."""
    with suppress(Exception):  # who writes it says so
        import_module("windlass.report")
        import_module("jinja2")


def _tell_unknown_connections(project: Path, declared: Iterable[str]) -> None:
    """Warn of variables that look like the addresses of connections and are of none: a name may be misspelt."""
    for variable, place, hint in unknown_connections(declared, project, os.environ):
        logs.warning("unknown_connection", variable=variable, where=place, hint=hint)


def _when(request: RunRequest, plan: Plan) -> tuple[datetime | None, str | None]:
    """The logical date of the run, and the run key of one by hand that a scheduler may start again."""
    if request.fired_at is None:
        return _logical_date(request, plan.schedule, plan.timezone), None
    if request.logical_date is not None:
        raise UsageError("`fired_at` says when the run is; leave out `logical_date`")
    dates = dates_of_start(request.fired_at, plan.schedule, plan.timezone, datetime.now(UTC))
    if dates.scheduled:
        return dates.logical_date, None
    return None, None if request.fired_at == "now" else request.fired_at


def _run_id(request: RunRequest) -> str | None:
    """The name of the Job that has started the run: every pod of it has the same, and `run_id` in templates. None where it
    was started by none, or a run of that name is here already.
    """
    name = request.fired_at
    if name is None or name == "now" or not _JOB_NAME.fullmatch(name):
        return None
    return None if StateFolder.of(request.project).run(name).path.exists() else name


def _logical_date(request: RunRequest, schedule: str, timezone: str) -> datetime | None:
    if request.logical_date is None:
        return None
    if (
        request.parent is not None
    ):  # the date of a run that triggers this one need not be a tick of this schedule
        return parse_logical_date(request.logical_date)
    return tick_of(request.logical_date, schedule, timezone)


def report_of(project: Path, run_id: str) -> Path | None:
    """Write the report of a run that has ended. That it cannot be written does not change what became of the run."""
    from windlass.report import write_report

    try:
        return write_report(project, [run_id])
    except WindlassError as exc:
        logs.warning("no_report", error=str(exc))
        return None


def prune_after(project: Path, pipeline: str) -> None:
    """Remove runs of long ago. That they cannot be does not change what became of the one that has just ended."""
    from windlass.runner.pruning import KEPT, prune

    try:
        state = StateFolder.of(project)
        keep = int(os.environ.get("WINDLASS_KEEP_RUNS") or KEPT)
        if keep > 0:
            prune(state, History(state), keep=keep, pipeline=pipeline)
    except (WindlassError, OSError, ValueError) as exc:
        logs.warning("not_pruned", error=str(exc))


def _result(project: Path, ended: Result, report: Path | None) -> RunResult:
    from windlass.api.results import RunResult, TaskRunResult  # which the command line does without

    run, folder = ended.run, StateFolder.of(project).run(ended.run.run_id)

    def of_task(task: TaskRun) -> TaskRunResult:
        quarantine = folder.quarantine(task.task)
        return TaskRunResult(
            task=task.task,
            kind=task.kind,
            status=task.status,
            attempts=task.attempts,
            seconds=task.seconds,
            rows_read=task.rows_read,
            rows_written=task.rows_written,
            rows_quarantined=task.rows_quarantined,
            bytes=task.bytes,
            path=task.path,
            columns_added=tuple(task.columns_added),
            columns_missing=tuple(task.columns_missing),
            columns_widened=task.columns_widened,
            requests=task.requests,
            cost=task.cost,
            quarantine=quarantine if task.rows_quarantined and quarantine.exists() else None,
            error=task.error,
            code=task.code,
            retryable=task.retryable,
        )

    return RunResult(
        run_id=run.run_id,
        pipeline=run.pipeline,
        status=run.status,
        logical_date=datetime.fromisoformat(run.logical_date),
        seconds=run.seconds or 0.0,
        dev_services=dict(run.dev_services),
        tasks={task.task: of_task(task) for task in ended.tasks},
        report=report,
        retryable=ended.exit_code == ExitCode.RETRYABLE,
    )


def _error(result: RunResult) -> FatalError | RetryableError:
    """What is raised for a run that did not succeed."""
    told = "; ".join(f"{task.task}: {task.error}" for task in result.failed)
    kind = RetryableError if result.retryable else FatalError
    hint = f"take up what did not succeed: windlass.run(…, resume={result.run_id!r})"
    message = f"run {result.run_id}: {result.status}" + (f": {told}" if told else "")
    return kind(message, hint=hint, code=Code.COMMAND_FAILED if result.failed else None)

"""One task, executed in this process: who it is part of is read from the environment."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from windlass import logs
from windlass.connectors.source import Part
from windlass.engine import Workspace
from windlass.errors import Code, UsageError, did_you_mean
from windlass.plan.instances import ENTRY, from_text, instance, to_text
from windlass.plan.model import Plan, Task, Trigger
from windlass.plan.schedule import RunDates, dates_of_start, parse_logical_date, run_dates, tick_of
from windlass.printable import printable
from windlass.state_folder import StateFolder
from windlass.tasks import Context, TaskResult, execute, settle_task, split_task
from windlass.tasks.context import render_strings
from windlass.templates import variables
from windlass.units import DEFAULT_MEMORY, parse_size

__all__ = ["context_of", "execute_task", "for_entry", "hand_on", "list_entries", "task_of"]

_PROGRESS_EVERY = 0.5


def execute_task(
    plan: Plan,
    name: str,
    project: Path,
    environ: Mapping[str, str] = os.environ,
    logical_date: str | None = None,
    *,
    memory: str | None = None,
    force: bool = False,
    settle: Sequence[str] = (),
    split: bool = False,
    part: Part | None = None,
) -> TaskResult:
    """Execute the task of that name, or one part of it. Raises WindlassError.

    With `settle`, copy nothing, but say what became of the attempts that had these load ids. With `split`,
    copy nothing, but say which parts it has.
    """
    task = task_of(plan, name)
    if task.kind == "trigger":
        hint = f"run it with: windlass run {plan.pipeline} --task {name}"
        raise UsageError(f"{name!r} runs another pipeline, which is more than a task", hint=hint)
    if task.kind == "service":
        raise UsageError(f"{name!r} is a service", hint="say --start or --stop")
    context = context_of(plan, name, project, environ, logical_date, memory=memory, force=force, part=part)
    if split:
        return split_task(plan, task, context)
    if settle:
        return settle_task(plan, task, context, settle)
    return execute(plan, task, context)


def list_entries(
    plan: Plan, name: str, project: Path, environ: Mapping[str, str], logical_date: str | None = None
) -> TaskResult:
    """Say which entries a task has, each as `for_entry` takes it. Raises WindlassError."""
    from windlass.tasks.entries import entries_of

    task = task_of(plan, name)
    if task.each is None:
        raise UsageError(f"{name!r} has no entries: it has no `for_each` with `of`")
    context = context_of(plan, name, project, environ, logical_date)
    found = entries_of(plan, task, context.workspace, context.variables)
    return TaskResult(detail={"entries": list(map(to_text, found))})


def hand_on(
    plan: Plan, name: str, project: Path, environ: Mapping[str, str], logical_date: str | None = None
) -> TaskResult:
    """Say what the run is told that a trigger starts: its logical date, its run key, its parameters. Raises WindlassError."""
    task = task_of(plan, name)
    if not isinstance(task.action, Trigger):
        raise UsageError(f"{name!r} hands on nothing: it triggers no pipeline")
    context = context_of(plan, name, project, environ, logical_date)
    logical = context.dates.logical_date.isoformat()
    params = render_strings(task.action, context.variables).params
    # run by hand, it has a key that is the same however often the trigger is tried
    key = logical if context.dates.scheduled else f"{context.run_key}.{name}"
    return TaskResult(detail={"logical_date": logical, "run_key": key, "params": params})


def for_entry(plan: Plan, name: str, entry: str | None, environ: Mapping[str, str]) -> tuple[Plan, str]:
    """The plan in which a task that is one of each entry is that of one of them, and what it is called. The environment has
    the entry where nothing is said. Raises WindlassError.
    """
    task = task_of(plan, name)
    if task.each is None:
        if entry is not None:
            raise UsageError(f"{name!r} takes no entry: it has no `for_each` with `of`")
        return plan, name
    said = entry or environ.get(ENTRY)
    if not said:
        hint = "say which with --entry; --entries lists them"
        raise UsageError(f"{name!r} is a task of each entry that {task.each.of!r} writes", hint=hint)
    one = instance(task, from_text(said))
    return replace(plan, tasks=tuple(one if other is task else other for other in plan.tasks)), one.name


def task_of(plan: Plan, name: str) -> Task:
    """The task of that name. Raises UsageError."""
    names = [task.name for task in plan.tasks]
    if name not in names:
        message = f"pipeline {plan.pipeline!r} has no task {name!r}"
        raise UsageError(message, hint=did_you_mean(name, names), code=Code.UNKNOWN_TASK)
    return plan.task(name)


def context_of(
    plan: Plan,
    task: str,
    project: Path,
    environ: Mapping[str, str],
    logical_date: str | None = None,
    *,
    memory: str | None = None,
    force: bool = False,
    part: Part | None = None,
) -> Context:
    """What the task finds around it. Raises UsageError for what makes no sense."""
    dates = _dates(plan, environ, logical_date)
    run_id = environ.get("WINDLASS_RUN_ID") or f"exec-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
    run_key = environ.get("WINDLASS_RUN_KEY") or (
        dates.logical_date.isoformat() if dates.scheduled else run_id
    )
    state = StateFolder.of(project)
    known = variables(
        run_id=run_id,
        logical_date=dates.logical_date,
        interval=dates.interval,
        params=plan.params,
        services=json.loads(environ.get("WINDLASS_SERVICES") or "{}"),
        paths=plan.task(task).paths,
    )
    return Context(
        run_id=run_id,
        run_key=run_key,
        dates=dates,
        variables=known,
        workspace=Workspace(Path(environ.get("WINDLASS_WORKSPACE") or project), project),
        connections=plan.connections,
        containers=plan.containers,
        folder=state.run(run_id),
        quarantine_file=state.run(run_id).quarantine(task, part.name if part else ""),
        scratch_folder=state.scratch,
        environments=state.environments,
        memory=_bytes(memory or environ.get("WINDLASS_MEMORY")),
        force=force,
        part=part,
        load_id=environ.get("WINDLASS_LOAD_ID"),
        progress=_Progress(),
        output=_print,
    )


def _dates(plan: Plan, environ: Mapping[str, str], logical_date: str | None) -> RunDates:
    """The dates of the run: given whole by a runner, else worked out from the logical date, or from when the run was started:
    tasks that are processes of their own have one clock for it.
    """
    started = environ.get("WINDLASS_STARTED_AT")
    now = parse_logical_date(started) if started else datetime.now(UTC)
    if logical_date is not None:
        tick = tick_of(logical_date, plan.schedule, plan.timezone)
        return run_dates(plan.schedule, plan.timezone, tick, now)
    start, end = environ.get("WINDLASS_DATA_INTERVAL_START"), environ.get("WINDLASS_DATA_INTERVAL_END")
    given = environ.get("WINDLASS_LOGICAL_DATE")
    if given and start and end:
        logical, begins, ends = (parse_logical_date(text) for text in (given, start, end))
        return RunDates(logical, begins, ends, scheduled=environ.get("WINDLASS_RUN_KEY") == given)
    if not given and (fired := environ.get("WINDLASS_FIRED_AT")):
        return dates_of_start(fired, plan.schedule, plan.timezone, now)
    when = parse_logical_date(given) if given else None
    key = environ.get("WINDLASS_RUN_KEY")
    if when and key not in (None, given):  # started by hand, at that time
        return run_dates(plan.schedule, plan.timezone, None, when)
    return run_dates(plan.schedule, plan.timezone, when, now)


def _bytes(memory: str | None) -> int:
    try:
        return parse_size(memory) if memory else DEFAULT_MEMORY
    except ValueError as exc:
        raise UsageError(f"{memory!r} is not a valid size; expected one such as 512MB or 2GB") from exc


def _print(line: str) -> None:
    with suppress(OSError, ValueError):  # whoever stops reading stops no task
        line = printable(line) if sys.stdout.isatty() else line
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


class _Progress:
    """Logs how far the task is, now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, rows: int, size: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last >= _PROGRESS_EVERY:
            self._last = now
            logs.info("progress", rows=rows, bytes=size, total=total)

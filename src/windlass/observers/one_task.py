"""A task that a scheduler started, told of as part of a run that goes on elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from windlass import logs
from windlass.errors import as_error
from windlass.observers.telling import Around, observed
from windlass.plan.model import Plan
from windlass.runner.history import Run, TaskRun, now
from windlass.status import Status
from windlass.stopping import StoppedError, in_place_of
from windlass.tasks import Context, TaskResult

__all__ = ["observed_task"]


@contextmanager
def observed_task(plan: Plan, name: str, context: Context) -> Iterator[Callable[[TaskResult], None]]:
    """Have the block told of: it executes the task, and hands over the result. What the task starts finds out, too."""
    run, task = _records(plan, name, context)
    around = Around(context.workspace.project, context.workspace.root)
    with observed(around) as observer:
        observer.run_joined(run, plan)
        observer.task_changed(task)
        os.environ.update(observer.environment(name))
        try:
            yield lambda result: _note(task, result)
            task.status = Status.SUCCESS
        except BaseException as exc:
            error = in_place_of(exc)
            task.status = Status.CANCELLED if isinstance(error, StoppedError) else Status.FAILED
            task.error = logs.mask(str(error))
            task.code = as_error(error).code if isinstance(error, Exception) else None
            raise
        finally:
            task.ended = now()
            observer.task_changed(task)


def _records(plan: Plan, name: str, context: Context) -> tuple[Run, TaskRun]:
    dates, began = context.dates, now()
    run = Run(
        run_id=context.run_id,
        pipeline=plan.pipeline,
        run_key=context.run_key,
        logical_date=dates.logical_date.isoformat(),
        interval_start=dates.interval_start.isoformat(),
        interval_end=dates.interval_end.isoformat(),
        scheduled=dates.scheduled,
        started=began,
    )
    task = TaskRun(run.run_id, name, plan.task(name).kind, Status.RUNNING, started=began)
    task.attempts = int(os.environ.get("WINDLASS_ATTEMPT") or 1)
    return run, task


def _note(task: TaskRun, result: TaskResult) -> None:
    task.rows_read, task.rows_written = result.rows_read, result.rows_written
    task.rows_quarantined, task.bytes = result.rows_quarantined, result.bytes
    task.path, task.detail = result.path, result.detail

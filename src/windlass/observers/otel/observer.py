"""A span a run, a task and an attempt, each in the one before; and what each task moved, as metrics.

The names of attributes begin with `windlass.`; docs/guides/observability.md lists them. The trace goes on from who
started us (TRACEPARENT), and what a task starts is told of it in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from windlass import __version__, tracing
from windlass.observers.otel.sending import Sender
from windlass.plan.model import Plan
from windlass.runner.events import SilentObserver
from windlass.runner.history import Attempt, Run, TaskRun
from windlass.status import Status

__all__ = ["TelemetryObserver"]

_Value: TypeAlias = str | int | bool

_NAME = "windlass"
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_CONTEXT = TraceContextTextMapPropagator()
_COUNTED = {"rows_read": "read", "rows_written": "written", "rows_quarantined": "quarantined"}


class TelemetryObserver(SilentObserver):
    """Tells the SDK of one run. Implements `observers.Closable`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._tracer = sender.traces.get_tracer(_NAME, __version__)
        self._spans: dict[str, Span] = {}
        """Of the tasks that run; the one of the run has no name."""

        self._attempts: dict[str, Span] = {}
        self._attributes: dict[str, str] = {}
        meter = sender.metrics.get_meter(_NAME, __version__)
        self._rows = meter.create_counter(
            "windlass.rows", "{row}", "Rows that tasks read, wrote and quarantined"
        )
        self._bytes = meter.create_counter("windlass.bytes", "By", "Bytes that tasks moved")
        self._durations = {
            what: meter.create_histogram(f"windlass.{what}.duration", "s", f"How long a {what} took")
            for what in ("run", "task")
        }

    def run_started(self, run: Run, plan: Plan) -> None:
        self.run_joined(run, plan)
        self._spans[""] = self._start(f"run {run.pipeline}", self._outer(), run.started, _of_run(run))

    def run_joined(self, run: Run, plan: Plan) -> None:
        self._attributes = {"windlass.project": plan.project, "windlass.pipeline": run.pipeline}

    def task_changed(self, task: TaskRun) -> None:
        if task.status == Status.RUNNING and task.task not in self._spans:
            inside = _inside(self._spans[""]) if "" in self._spans else self._outer()
            of_task: dict[str, _Value] = {
                "windlass.run.id": task.run_id,
                "windlass.task": task.task,
                "windlass.task.kind": task.kind,
            }
            self._spans[task.task] = self._start(f"task {task.task}", inside, task.started, of_task)
        elif task.status.is_over and (span := self._spans.pop(task.task, None)) is not None:
            span.set_attributes(_of_result(task))
            _end(span, task.status, task.error, task.ended)
            self._count(task)

    def attempt_changed(self, attempt: Attempt) -> None:
        if attempt.ended is None:
            numbered: dict[str, _Value] = {"windlass.task": attempt.task, "windlass.attempt": attempt.number}
            inside = _inside(self._spans[attempt.task])
            name = f"attempt {attempt.number}"
            self._attempts[attempt.task] = self._start(name, inside, attempt.started, numbered)
        elif (span := self._attempts.pop(attempt.task, None)) is not None:
            if attempt.exit_code is not None:
                span.set_attribute("process.exit.code", attempt.exit_code)
            _end(span, attempt.status, attempt.error, attempt.ended)

    def environment(self, task: str) -> Mapping[str, str]:
        span = self._attempts.get(task) or self._spans.get(task)
        carried: dict[str, str] = {}
        if span is not None:
            _CONTEXT.inject(carried, _inside(span))
        return {name.upper(): value for name, value in carried.items()}

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None:
        if (span := self._spans.pop("", None)) is None:
            return
        span.set_attribute("windlass.run.status", run.status)
        failed = [task.task for task in tasks if task.status == Status.FAILED]
        _end(span, run.status, f"failed: {', '.join(failed)}" if failed else None, run.ended)
        if run.seconds is not None:
            self._durations["run"].record(
                run.seconds, {**self._attributes, "windlass.run.status": run.status}
            )

    def close(self) -> None:
        self._sender.close()

    # --- what all of them have ---

    def _outer(self) -> Context:
        """The context of who started us."""
        carried = {name.lower(): value for name, value in tracing.handed_on(os.environ).items()}
        return _CONTEXT.extract(carried, Context())

    def _start(self, name: str, inside: Context, since: str | None, attributes: Mapping[str, _Value]) -> Span:
        return self._tracer.start_span(
            name, inside, start_time=_nanoseconds(since), attributes={**self._attributes, **attributes}
        )

    def _count(self, task: TaskRun) -> None:
        whose = {**self._attributes, "windlass.task": task.task}
        for name, outcome in _COUNTED.items():
            if (value := getattr(task, name)) is not None:
                self._rows.add(value, {**whose, "windlass.rows.outcome": outcome})
        if task.bytes is not None:
            self._bytes.add(task.bytes, whose)
        if task.seconds is not None:
            self._durations["task"].record(task.seconds, {**whose, "windlass.task.status": task.status})


def _inside(span: Span) -> Context:
    return trace.set_span_in_context(span, Context())


def _of_run(run: Run) -> dict[str, _Value]:
    return {
        "windlass.run.id": run.run_id,
        "windlass.run.logical_date": run.logical_date,
        "windlass.run.scheduled": run.scheduled,
    }


def _of_result(task: TaskRun) -> dict[str, _Value]:
    told: dict[str, _Value | None] = {
        "windlass.task.status": str(task.status),
        "windlass.task.attempts": task.attempts,
        "windlass.rows.read": task.rows_read,
        "windlass.rows.written": task.rows_written,
        "windlass.rows.quarantined": task.rows_quarantined,
        "windlass.bytes": task.bytes,
        "windlass.copy.path": task.path,
        "error.type": task.code if task.status.is_lost else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _end(span: Span, status: Status, error: str | None, when: str | None) -> None:
    if status.is_lost:
        span.set_status(StatusCode.ERROR, error or str(status))
    span.end(_nanoseconds(when))


def _nanoseconds(moment: str | None) -> int | None:
    """Since 1970; None is now."""
    if moment is None:
        return None
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1) * 1000

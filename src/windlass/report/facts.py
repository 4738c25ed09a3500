"""What a report tells of a run, read from the history, the plan and the run's folder.

Everything may be missing but the history: a run that was killed early has no plan, one from another version
has a plan that cannot be read, and people delete logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from windlass.errors import WindlassError
from windlass.pages.clipping import clipped_value
from windlass.plan.codec import from_json
from windlass.plan.model import Copy, Plan, Task
from windlass.report.log_end import LogEnd, log_end, servers_in
from windlass.report.quarantine import Quarantined, quarantined
from windlass.report.requests import Requests, requests_of
from windlass.report.timeline import Span
from windlass.runner.history import AlertRecord, Attempt, History, Run, TaskRun
from windlass.state_folder import RunFolder, StateFolder
from windlass.status import Status

__all__ = ["AttemptFacts", "CheckFacts", "RunFacts", "TaskFacts", "collect"]

_MOST_RUNS = 50
_MOST_ATTEMPTS = 10
_LINES_OF_A_FAILURE, _LINES = 100, 30
_LONGEST_CELL = 200


class AttemptFacts(Struct, frozen=True):
    """One try of a task, and the end of its log."""

    record: Attempt
    span: Span
    log: LogEnd | None
    """None for the early attempts of a task that was tried very often."""

    @property
    def seconds(self) -> float:
        return self.span.end - self.span.start


class CheckFacts(Struct, frozen=True):
    """One assertion of a check, with some of the rows that speak against it."""

    says: str
    passed: bool
    found: str
    columns: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]


class TaskFacts(Struct, frozen=True):
    """One task of a run."""

    anchor: str
    record: TaskRun
    task: Task | None
    attempts: tuple[AttemptFacts, ...]
    checks: tuple[CheckFacts, ...]
    quarantined: Quarantined | None
    requests: Requests | None
    triggered: str | None
    """The run that this trigger started."""

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took: what a rate is reckoned with."""
        return self.attempts[-1].seconds if self.attempts else self.record.seconds

    @property
    def rows_a_second(self) -> float | None:
        return _rate(self.record.rows_read, self.seconds)

    @property
    def bytes_a_second(self) -> float | None:
        return _rate(self.record.bytes, self.seconds)

    @property
    def adds_up(self) -> bool | None:
        """Whether every row that a copy read was written or quarantined; None where that is not asked."""
        record = self.record
        if self.task is None or not isinstance(self.task.action, Copy) or record.status != Status.SUCCESS:
            return None
        if record.rows_read is None or record.detail.get("already_loaded"):
            return None
        return record.rows_read == (record.rows_written or 0) + (record.rows_quarantined or 0)


class RunFacts(Struct, frozen=True, dict=True):
    """One run."""

    anchor: str
    record: Run
    plan: Plan | None
    tasks: tuple[TaskFacts, ...]
    versions: dict[str, str]
    servers: tuple[str, ...]
    seconds: float
    alerts: tuple[AlertRecord, ...]
    """Who was told of it, or was to be."""

    depth: int
    """How many triggers stand between this run and one that was asked for."""

    @cached_property
    def failed(self) -> tuple[TaskFacts, ...]:
        return tuple(task for task in self.tasks if task.record.status == Status.FAILED)

    @cached_property
    def succeeded(self) -> int:
        return sum(task.record.status == Status.SUCCESS for task in self.tasks)

    def total(self, name: str) -> int | None:
        """The sum of a number over the tasks; None when no task has it."""
        values = [getattr(task.record, name) for task in self.tasks]
        known = [value for value in values if value is not None]
        return sum(known) if known else None


def collect(history: History, state: StateFolder, runs: Sequence[Run]) -> list[RunFacts]:
    """The facts of these runs, each followed by the runs that it triggered; 50 runs at most."""
    found: dict[str, tuple[Run, int]] = {}
    for run, depth in _with_children(history, runs):
        found.setdefault(run.run_id, (run, depth))
    return [
        _run_facts(f"r{number}", history, state.run(run.run_id), run, depth)
        for number, (run, depth) in enumerate(islice(found.values(), _MOST_RUNS), 1)
    ]


def _with_children(history: History, runs: Sequence[Run], depth: int = 0) -> Iterator[tuple[Run, int]]:
    for run in runs:
        yield run, depth
        yield from _with_children(history, history.children(run.run_id), depth + 1)


def _run_facts(anchor: str, history: History, folder: RunFolder, run: Run, depth: int) -> RunFacts:
    plan = _plan(folder.plan)
    began, until = _moment(run.started), _moment(run.ended)
    attempts: dict[str, list[Attempt]] = {}
    for attempt in history.attempts(run.run_id):
        attempts.setdefault(attempt.task, []).append(attempt)
    records = history.tasks(run.run_id)
    tasks = tuple(
        _task_facts(
            f"{anchor}-t{number}", record, plan, attempts.get(record.task, []), folder, (began, until)
        )
        for number, record in enumerate(_in_order(records, plan), 1)
    )
    logs = [folder.log(a.task, a.number) for several in attempts.values() for a in several[-1:]]
    return RunFacts(
        anchor=anchor,
        record=run,
        plan=plan,
        tasks=tasks,
        versions=_versions(folder.versions) or {"windlass": run.version},
        servers=tuple(dict.fromkeys(server for log in logs for server in servers_in(log))),
        seconds=max((until - began).total_seconds(), 0.0),
        alerts=tuple(history.alerts(run.run_id)),
        depth=depth,
    )


def _in_order(records: list[TaskRun], plan: Plan | None) -> list[TaskRun]:
    place = {task.name: number for number, task in enumerate(plan.tasks)} if plan else {}
    return sorted(records, key=lambda record: place.get(record.task, len(place)))


def _task_facts(
    anchor: str,
    record: TaskRun,
    plan: Plan | None,
    attempts: list[Attempt],
    folder: RunFolder,
    run: tuple[datetime, datetime],
) -> TaskFacts:
    detail = record.detail
    with_log = attempts[-_MOST_ATTEMPTS:]
    return TaskFacts(
        anchor=anchor,
        record=record,
        task=next((task for task in plan.tasks if task.name == record.task), None) if plan else None,
        attempts=tuple(_attempt_facts(a, folder, run, told=a in with_log) for a in attempts),
        checks=tuple(_check_facts(check) for check in _list(detail.get("checks"))),
        quarantined=quarantined(folder.quarantine(record.task), _list(detail.get("bad_rows"))),
        requests=requests_of(record.requests),
        triggered=str(detail["run_id"]) if record.kind == "trigger" and "run_id" in detail else None,
    )


def _attempt_facts(
    attempt: Attempt, folder: RunFolder, run: tuple[datetime, datetime], *, told: bool
) -> AttemptFacts:
    began, until = run
    ended = _moment(attempt.ended) if attempt.ended else until
    start = max((_moment(attempt.started) - began).total_seconds(), 0.0)
    lines = _LINES_OF_A_FAILURE if attempt.status in (Status.FAILED, Status.CANCELLED) else _LINES
    return AttemptFacts(
        record=attempt,
        span=Span(start, max((ended - began).total_seconds(), start)),
        log=log_end(folder.log(attempt.task, attempt.number), lines) if told else None,
    )


def _check_facts(check: dict[str, Any]) -> CheckFacts:
    samples = _list(check.get("samples"))
    columns = tuple(dict.fromkeys(str(name) for sample in samples for name in sample))
    return CheckFacts(
        says=str(check.get("check", "")),
        passed=bool(check.get("passed")),
        found=str(check.get("found", "")),
        columns=columns,
        samples=tuple(
            tuple(clipped_value(sample.get(column), _LONGEST_CELL) for column in columns)
            for sample in samples
        ),
    )


def _list(value: object) -> list[dict[str, Any]]:
    """The objects in a list, of what a task told in whatever form."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _moment(text: str | None) -> datetime:
    """The time, or now for what has not ended."""
    return datetime.fromisoformat(text) if text else datetime.now(UTC)


def _rate(amount: int | None, seconds: float | None) -> float | None:
    return amount / seconds if amount and seconds else None


def _plan(file: Path) -> Plan | None:
    try:
        return from_json(file.read_bytes())
    except (OSError, WindlassError):
        return None


def _versions(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(version) for name, version in found.items()} if isinstance(found, dict) else {}

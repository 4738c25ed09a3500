"""What `windlass.copy`, `windlass.query` and `windlass.run` give back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from windlass.errors import WindlassError
from windlass.status import Status

__all__ = ["BackfillRunResult", "CopyResult", "QueryResult", "RunResult", "TableCopyResult", "TaskRunResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyResult:
    """What a copy did. `rows_read` is always `rows_written` plus `rows_quarantined`."""

    run_id: str
    """What the destination's ledger and the quarantine know the copy by."""

    path: str
    """The way the rows took, such as `copy-binary`."""

    rows_read: int
    rows_written: int
    rows_quarantined: int
    bytes: int
    inserted: int | None
    """Of a merge, as are the next two: rows that were new."""

    updated: int | None
    unchanged: int | None
    seconds: float
    quarantine: Path | None
    """The file with the rows that could not be loaded, if there are any."""

    bad_rows: tuple[str, ...]
    """The first few of them: where each was, and what is wrong with it."""

    columns_added: tuple[str, ...]
    """Those that the destination did not have before."""

    columns_missing: tuple[str, ...]
    """Those of the destination that the source does not have."""

    columns_widened: dict[str, str]
    """Those that have got a wider type, each with what it was and is: `integer → bigint`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRunResult:
    """What became of one date of a backfill."""

    logical_date: datetime
    todo: Literal["run", "resume", "done"]
    """What there was to do about it: run it, resume a run that had not succeeded, or nothing."""

    run_id: str | None
    status: Status | None
    """None where it was only to be said what there is to do."""

    seconds: float | None
    error: str | None
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCopyResult:
    """What became of one of many tables."""

    table: str
    destination: str
    result: CopyResult | None
    """What the copy did; None where it failed."""

    error: WindlassError | None
    """Why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The rows of a query."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    """The type of each column, by DuckDB's name."""

    rows: tuple[tuple[Any, ...], ...]
    is_whole: bool
    """Whether these are all rows; False where `limit` has left some out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunResult:
    """What became of one task of a run. A number is None where the kind of task has none."""

    task: str
    kind: str
    status: Status
    attempts: int
    seconds: float | None
    rows_read: int | None
    rows_written: int | None
    rows_quarantined: int | None
    bytes: int | None
    path: str | None
    columns_added: tuple[str, ...]
    """Of a copy, as are the next two: the columns that the destination did not have before."""

    columns_missing: tuple[str, ...]
    columns_widened: dict[str, str]
    requests: dict[str, Any] | None
    """What it asked of web servers: `count`, `statuses`, `bytes`, `seconds`, `waited`, and the first and last as `kept`."""

    cost: dict[str, Any] | None
    """What its jobs cost at a warehouse that sends a bill: `jobs`, `bytes_processed` and `bytes_billed`."""

    quarantine: Path | None
    """The file with the rows that could not be loaded, if there are any."""

    error: str | None
    code: str | None
    """The code of the error, which `windlass explain` takes."""

    retryable: bool
    """Whether a task that failed may work later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What became of a run, and of each of its tasks."""

    run_id: str
    pipeline: str
    status: Status
    logical_date: datetime
    seconds: float
    tasks: dict[str, TaskRunResult]
    """By name, in the order of the plan."""

    dev_services: dict[str, str]
    """The connections that dev services stood in for, each with its type."""

    report: Path | None
    """The HTML report; None where it could not be written."""

    retryable: bool
    """Whether a run that failed may work later: every task that failed may."""

    @property
    def failed(self) -> tuple[TaskRunResult, ...]:
        """The tasks that failed."""
        return tuple(task for task in self.tasks.values() if task.status == Status.FAILED)

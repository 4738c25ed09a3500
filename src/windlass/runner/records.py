"""What is remembered of runs: one record a run, a task run, an attempt and a message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import Struct, field

from windlass.status import Status
from windlass.units import size

__all__ = ["AlertRecord", "Attempt", "Run", "TaskRun", "Totals", "now"]


class Run(Struct):
    """One execution of a pipeline. Times are ISO 8601 in UTC."""

    run_id: str
    pipeline: str
    status: Status = Status.RUNNING
    run_key: str = ""
    logical_date: str = ""
    interval_start: str = ""
    interval_end: str = ""
    scheduled: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    ended: str | None = None
    parent: str | None = None
    """The run whose trigger started this one."""

    version: str = ""
    dev_services: dict[str, str] = field(default_factory=dict)
    """The connections that dev services stood in for, each with its type."""

    @property
    def seconds(self) -> float | None:
        """How long the run took; None while it runs."""
        return _seconds(self.started, self.ended)


class TaskRun(Struct):
    """What became of one task in a run."""

    run_id: str
    task: str
    kind: str
    status: Status = Status.PENDING
    attempts: int = 0
    started: str | None = None
    ended: str | None = None
    rows_read: int | None = None
    rows_written: int | None = None
    rows_quarantined: int | None = None
    bytes: int | None = None
    path: str | None = None
    error: str | None = None
    code: str | None = None
    """The code of the error, if it has one."""

    retryable: bool = False
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        return _seconds(self.started, self.ended)

    @property
    def columns_added(self) -> list[str]:
        """Of a copy: the columns that its destination did not have before."""
        return self._listed("columns_added")

    @property
    def columns_missing(self) -> list[str]:
        """Of a copy: the columns of its destination that got no values."""
        return self._listed("columns_missing")

    @property
    def columns_widened(self) -> dict[str, str]:
        """Of a copy: the columns that have got a wider type, each with what it was and is."""
        found = self.detail.get("columns_widened")
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    @property
    def columns_changed(self) -> str:
        """What a copy did to the columns of its destination, in words; empty where it left them as they were."""
        words = []
        if self.columns_added:
            words.append(f"columns added: {', '.join(self.columns_added)}")
        if self.columns_widened:
            wider = ", ".join(f"{name} ({change})" for name, change in self.columns_widened.items())
            words.append(f"columns widened: {wider}")
        return "; ".join(words)

    @property
    def requests(self) -> dict[str, Any] | None:
        """The requests that it made to web servers, as `request_log` tells them; None where it made none."""
        found = self.detail.get("requests")
        return found if isinstance(found, dict) else None

    @property
    def cost(self) -> dict[str, Any] | None:
        """What its jobs cost at a warehouse that sends a bill, as `cost_log` tells it; None where there were none."""
        found = self.detail.get("cost")
        return found if isinstance(found, dict) else None

    @property
    def cost_told(self) -> str:
        """The same in words; empty where there were no jobs."""
        try:
            jobs, read, billed = (
                int((self.cost or {})[key]) for key in ("jobs", "bytes_processed", "bytes_billed")
            )
        except (KeyError, TypeError, ValueError):  # a step may say anything
            return ""
        return f"{jobs} {'job' if jobs == 1 else 'jobs'}, {size(read)} read, {size(billed)} billed"

    def _listed(self, key: str) -> list[str]:
        found = self.detail.get(key)
        return list(map(str, found)) if isinstance(found, list) else []


class Attempt(Struct):
    """One try of a task run."""

    run_id: str
    task: str
    number: int
    status: Status = Status.RUNNING
    started: str = ""
    ended: str | None = None
    exit_code: int | None = None
    error: str | None = None


class AlertRecord(Struct):
    """One message to one connection about what became of a run, or of a task in it."""

    run_id: str
    subject: str
    """What it is about: the pipeline, or `PIPELINE.TASK`."""

    connection: str
    event: str
    pipeline: str = ""
    created: str = ""
    sent: str | None = None
    """When it was taken; None as long as it was not."""

    attempts: int = 0
    error: str | None = None
    """Why it was not taken."""

    code: str | None = None

    closed: str | None = None
    """Of a failure: when the trouble was over."""

    message: dict[str, Any] = field(default_factory=dict)


class Totals(NamedTuple):
    """What the tasks of a run moved; None where none of them counts that."""

    rows_read: int | None = None
    rows_written: int | None = None
    rows_quarantined: int | None = None
    bytes: int | None = None


def _seconds(started: str | None, ended: str | None) -> float | None:
    if started is None or ended is None:
        return None
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
    return max(0.0, seconds)  # the clock may have been set back


def now() -> str:
    """The time, in UTC, as records have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")

"""What became of a run, a task run or an attempt: one set of words for history, reports, pictures and JSON."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Status"]


class Status(StrEnum):
    """The words are Airflow's, where it has one."""

    PENDING = "pending"
    RUNNING = "running"
    UP_FOR_RETRY = "up_for_retry"
    SUCCESS = "success"
    FAILED = "failed"
    UPSTREAM_FAILED = "upstream_failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more becomes of it."""
        return self not in (Status.PENDING, Status.RUNNING, Status.UP_FOR_RETRY)

    @property
    def is_lost(self) -> bool:
        """Whether it ended, and not as it should."""
        return self in (Status.FAILED, Status.UPSTREAM_FAILED, Status.CANCELLED)

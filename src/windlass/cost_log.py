"""What the jobs of a task cost at a warehouse that sends a bill: how many, and how much they read and are charged for.

A connector notes each job here as soon as somebody keeps a log. A task is a process of its own, so there is one log at a time;
threads share it. A job that failed costs, too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CostLog", "keeping_costs", "note_job"]


class CostLog:
    """Totals of all jobs. Several threads may add."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._jobs = self._processed = self._billed = 0

    def add(self, processed: int, billed: int) -> None:
        with self._adding:
            self._jobs += 1
            self._processed += processed
            self._billed += billed

    def as_detail(self) -> dict[str, object]:
        """What the detail of a task has as `cost`; nothing where there were no jobs."""
        with self._adding:
            if not self._jobs:
                return {}
            cost = {"jobs": self._jobs, "bytes_processed": self._processed, "bytes_billed": self._billed}
            return {"cost": cost}


_log: CostLog | None = None


@contextmanager
def keeping_costs() -> Iterator[CostLog]:
    """Keep a log of all jobs that this process has run inside the block."""
    global _log
    before, _log = _log, CostLog()
    try:
        yield _log
    finally:
        _log = before


def note_job(*, processed: int, billed: int) -> None:
    """Put a job into the log that is kept, if there is one. `processed` and `billed` are bytes."""
    if _log is not None:
        _log.add(processed, billed)

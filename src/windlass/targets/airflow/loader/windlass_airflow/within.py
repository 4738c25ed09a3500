"""How long a run may take: each attempt ends with it, and none begins after it.

The `dagrun_timeout` of a DAG has Airflow skip what is left, also the tasks that stop services and tell people. So it comes
later, for what never began.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .names import AirflowFailException

__all__ = ["Within", "limit_of_dag"]

_TO_END = timedelta(minutes=10)


def limit_of_dag(seconds: float | None) -> timedelta | None:
    """When Airflow itself gives up a run: once there was time to stop what runs, and to tell."""
    return None if seconds is None else timedelta(seconds=seconds) + _TO_END


class Within:
    """Called before an attempt: has it end with its run."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, context: Mapping[str, Any]) -> None:
        task, run = context["task"], context["dag_run"]
        passed = datetime.now(UTC) - (run.start_date or datetime.now(UTC))
        left = timedelta(seconds=self._seconds) - passed
        if left <= timedelta(0):
            raise AirflowFailException(f"the run timed out after {self._seconds:g} s")
        task.execution_timeout = min(left, task.execution_timeout or left)

"""What a runner tells while it runs. Whoever started it may show it, or not."""

from __future__ import annotations

from typing import Protocol

from windlass import logs
from windlass.plan.model import Plan
from windlass.runner.history import Run, TaskRun

__all__ = ["Observer", "Progress", "SilentObserver"]


class Progress:
    """How far a task is: rows and bytes so far, and bytes in all where that is known."""

    def __init__(self, rows: int, size: int, total: int | None) -> None:
        self.rows, self.bytes, self.total = rows, size, total


class Observer(Protocol):
    """Told what happens, from several threads."""

    def run_started(self, run: Run, plan: Plan) -> None: ...

    def task_changed(self, task: TaskRun) -> None: ...

    def progress(self, task: str, progress: Progress) -> None: ...

    def log(self, record: logs.Record) -> None: ...

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None: ...


class SilentObserver:
    """Shows nothing."""

    def run_started(self, run: Run, plan: Plan) -> None:
        return

    def task_changed(self, task: TaskRun) -> None:
        return

    def progress(self, task: str, progress: Progress) -> None:
        return

    def log(self, record: logs.Record) -> None:
        return

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None:
        return

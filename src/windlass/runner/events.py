"""What a runner tells while it runs. Whoever started it may show it, or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from windlass.plan.model import Plan
from windlass.runner.history import Run, TaskRun
from windlass.runtimes.lines import Logged

__all__ = ["Observer", "Progress", "SilentObserver"]


class Progress:
    """How far a task is: rows and bytes so far, and bytes in all where that is known; or in its own words."""

    def __init__(self, rows: int, size: int, total: int | None, said: str = "") -> None:
        self.rows, self.bytes, self.total, self.said = rows, size, total, said


class Observer(Protocol):
    """Told what happens, from several threads."""

    def run_started(self, run: Run, plan: Plan) -> None: ...

    def task_changed(self, task: TaskRun) -> None: ...

    def progress(self, task: str, progress: Progress) -> None: ...

    def log(self, logged: Sequence[Logged]) -> None: ...

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None: ...


class SilentObserver:
    """Shows nothing."""

    def run_started(self, run: Run, plan: Plan) -> None:
        return

    def task_changed(self, task: TaskRun) -> None:
        return

    def progress(self, task: str, progress: Progress) -> None:
        return

    def log(self, logged: Sequence[Logged]) -> None:
        return

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None:
        return

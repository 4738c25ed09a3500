"""What a runner tells while it runs. Whoever started it may show it, send it somewhere, or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from windlass.plan.model import Plan
from windlass.runner.history import Attempt, Run, TaskRun
from windlass.runtimes.lines import Logged

__all__ = ["Observer", "Progress", "SilentObserver"]


class Progress:
    """How far a task is: rows and bytes so far, and bytes in all where that is known; or in its own words."""

    def __init__(self, rows: int, size: int, total: int | None, said: str = "") -> None:
        self.rows, self.bytes, self.total, self.said = rows, size, total, said


class Observer(Protocol):
    """Told what happens, from several threads. A task is told of before its attempts, and ends after them."""

    def run_started(self, run: Run, plan: Plan) -> None: ...

    def run_joined(self, run: Run, plan: Plan) -> None:
        """A scheduler has started the run; one task of it is executed here. Its end is not told."""

    def tasks_made(self, plan: Plan) -> None:
        """The run has more tasks from now on, made of entries; the plan has all of them."""

    def task_changed(self, task: TaskRun) -> None: ...

    def attempt_changed(self, attempt: Attempt) -> None: ...

    def environment(self, task: str) -> Mapping[str, str]:
        """What an attempt at the task that has been told of is to find in its environment besides."""

    def progress(self, task: str, progress: Progress) -> None: ...

    def log(self, logged: Sequence[Logged]) -> None: ...

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None: ...


class SilentObserver:
    """Shows nothing."""

    def run_started(self, run: Run, plan: Plan) -> None:
        return

    def run_joined(self, run: Run, plan: Plan) -> None:
        return

    def tasks_made(self, plan: Plan) -> None:
        return

    def task_changed(self, task: TaskRun) -> None:
        return

    def attempt_changed(self, attempt: Attempt) -> None:
        return

    def environment(self, task: str) -> Mapping[str, str]:
        return {}

    def progress(self, task: str, progress: Progress) -> None:
        return

    def log(self, logged: Sequence[Logged]) -> None:
        return

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None:
        return

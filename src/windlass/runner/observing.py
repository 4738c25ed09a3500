"""Several observers of one run, as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from windlass import logs
from windlass.plan.model import Plan
from windlass.runner.events import Observer, Progress
from windlass.runner.history import Attempt, Run, TaskRun
from windlass.runtimes.lines import Logged

__all__ = ["Observers"]


class Observers:
    """A display, and others who are told what it is told. Implements `Observer`.

    What goes wrong with one of the others is logged once, and that one is told nothing more: a run goes on, whoever
    looks on.
    """

    def __init__(self, display: Observer, others: Mapping[str, Observer]) -> None:
        self._display, self._others = display, dict(others)

    def run_started(self, run: Run, plan: Plan) -> None:
        self._display.run_started(run, plan)
        self._tell(lambda other: other.run_started(run, plan))

    def tasks_made(self, plan: Plan) -> None:
        self._display.tasks_made(plan)
        self._tell(lambda other: other.tasks_made(plan))

    def run_joined(self, run: Run, plan: Plan) -> None:
        self._display.run_joined(run, plan)
        self._tell(lambda other: other.run_joined(run, plan))

    def task_changed(self, task: TaskRun) -> None:
        self._display.task_changed(task)
        self._tell(lambda other: other.task_changed(task))

    def attempt_changed(self, attempt: Attempt) -> None:
        self._display.attempt_changed(attempt)
        self._tell(lambda other: other.attempt_changed(attempt))

    def environment(self, task: str) -> Mapping[str, str]:
        found = dict(self._display.environment(task))
        self._tell(lambda other: found.update(other.environment(task)))
        return found

    def progress(self, task: str, progress: Progress) -> None:
        self._display.progress(task, progress)
        self._tell(lambda other: other.progress(task, progress))

    def log(self, logged: Sequence[Logged]) -> None:
        self._display.log(logged)
        self._tell(lambda other: other.log(logged))

    def run_ended(self, run: Run, tasks: list[TaskRun]) -> None:
        self._display.run_ended(run, tasks)
        self._tell(lambda other: other.run_ended(run, tasks))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for name, other in list(self._others.items()):
            try:
                tell(other)
            except Exception as exc:  # noqa: BLE001 - whatever it is, it must not become the run's
                if self._others.pop(name, None) is not None:
                    logs.warning("observer_failed", observer=name, error=f"{type(exc).__name__}: {exc}")

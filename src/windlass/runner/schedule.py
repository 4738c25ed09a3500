"""Which task may start now: the order of a run, without clocks, threads or processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias

from windlass.errors import UsageError, did_you_mean
from windlass.plan.graph import downstream
from windlass.plan.model import Plan, Service, Task, TriggerRule
from windlass.status import Status

__all__ = ["Schedule", "select"]

_Decision: TypeAlias = Status | Literal["start"]
_START: Literal["start"] = "start"


def select(plan: Plan, only: Collection[str], start: str | None) -> set[str]:
    """The tasks to run: all, those named in `only`, or `start` and what needs it; and services they use.

    Raises UsageError for a task that the pipeline does not have.
    """
    known = [task.name for task in plan.tasks]
    for name in (*only, *([start] if start else [])):
        if name not in known:
            raise UsageError(
                f"pipeline {plan.pipeline!r} has no task {name!r}", hint=did_you_mean(name, known)
            )
    chosen = set(only) or set(known)
    if start is not None:
        chosen &= downstream({task.name: task.needs for task in plan.tasks}, start)
    return chosen | {service for task in plan.tasks if task.name in chosen for service in task.uses}


class Schedule:
    """The states of a run's tasks. A service is `running` once it is up, and `success` once it was stopped."""

    def __init__(self, plan: Plan, chosen: Collection[str], already: Iterable[str] = ()) -> None:
        self._tasks = {task.name: task for task in plan.tasks}
        self.states = {name: Status.PENDING if name in chosen else Status.SKIPPED for name in self._tasks}
        self.states.update(dict.fromkeys(already, Status.SUCCESS))
        self._counts = {*chosen, *already}
        """The tasks that decide about others: not those that the run leaves out."""
        self._up: set[str] = set()
        self._drop_unused_services()

    def ready(self) -> list[Task]:
        """The tasks that may start now; call `set` for each that does. Marks what can never start."""
        self._give_up()
        return [
            task
            for task in self._tasks.values()
            if self.states[task.name] == Status.PENDING and self._may_start(task)
        ]

    def set(self, name: str, state: Status) -> None:
        """Say what became of a task."""
        self.states[name] = state
        self._up.discard(name)

    def is_up(self, service: str) -> None:
        """Say that a service is ready to be used."""
        self._up.add(service)

    def idle_services(self) -> list[str]:
        """The services that run, and that nobody will use any more."""
        self._give_up()
        wanted = {
            used
            for task in self._tasks.values()
            if self.states[task.name] in (Status.PENDING, Status.RUNNING)
            for used in task.uses
        }
        return [
            name for name in self._services() if self.states[name] == Status.RUNNING and name not in wanted
        ]

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing will."""
        self._give_up()
        return not any(state in (Status.PENDING, Status.RUNNING) for state in self.states.values())

    def _may_start(self, task: Task) -> bool:
        if isinstance(task.action, Service) and not self._has_user(task.name):
            return False
        return self._decision(task) == _START and all(name in self._up for name in task.uses)

    def _has_user(self, service: str) -> bool:
        """Whether a task waits for nothing but this service (and others): then it is time to start it."""
        return any(
            service in task.uses
            and self.states[task.name] == Status.PENDING
            and self._decision(task) == _START
            for task in self._tasks.values()
        )

    def _give_up(self) -> None:
        """Mark what can never start, and the services that nobody will use."""
        for task in self._tasks.values():  # in the plan's order, so one pass is enough
            if self.states[task.name] == Status.PENDING:
                decision = self._decision(task)
                self.states[task.name] = Status.PENDING if decision == _START else decision
        self._drop_unused_services()

    def _decision(self, task: Task) -> _Decision:
        """Whether a task may start, as far as others are concerned, or never will, or has to wait."""
        services = _decide(
            "all_success",
            [s for s in self._states_of(task.uses) if s not in (Status.PENDING, Status.RUNNING)],
        )
        if services != _START:
            return services
        return _decide(task.trigger_rule, self._states_of(task.needs))

    def _states_of(self, names: Iterable[str]) -> list[Status]:
        return [self.states[name] for name in names if name in self._counts]

    @property
    def failed(self) -> bool:
        """Whether the run failed, as Airflow decides it: by the tasks that no other one needs. Also by a
        service that ended by itself.
        """
        needed = {name for task in self._tasks.values() if task.name in self._counts for name in task.needs}
        last = [name for name in self._tasks if name not in needed or name in self._services()]
        return any(self.states[name].is_lost for name in last)

    def _drop_unused_services(self) -> None:
        for name in self._services():
            waiting = any(
                name in t.uses and self.states[t.name] == Status.PENDING for t in self._tasks.values()
            )
            if self.states[name] == Status.PENDING and not waiting:
                self.states[name] = Status.SKIPPED

    def _services(self) -> list[str]:
        return [name for name, task in self._tasks.items() if isinstance(task.action, Service)]


def _decide(rule: TriggerRule, states: list[Status]) -> _Decision:
    """What a rule says of the tasks that a task needs: start, wait, or what becomes of it instead.

    As in Airflow (`TriggerRuleDep`), where a task that needs none may always start.
    """
    failed, skipped = sum(state.is_lost for state in states), states.count(Status.SKIPPED)
    succeeded = states.count(Status.SUCCESS)
    are_over = failed + skipped + succeeded == len(states)
    match rule:
        case "one_success" | "one_failed" if states:
            if succeeded if rule == "one_success" else failed:
                return _START
            none_can = (
                Status.SKIPPED if rule == "one_failed" or skipped == len(states) else Status.UPSTREAM_FAILED
            )
            return none_can if are_over else Status.PENDING
        case "all_success" | "none_failed" if failed:
            return Status.UPSTREAM_FAILED
        case "all_success" if skipped:
            return Status.SKIPPED
        case "all_failed" if succeeded or skipped:
            return Status.SKIPPED
    return _START if are_over else Status.PENDING

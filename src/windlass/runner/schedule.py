"""Which task may start now: the order of a run, without clocks, threads or processes.

Everything is counted, and nothing is looked for: what becomes of a task concerns those that need it, and no
others. So a run of thousands of tasks decides as fast as one of a few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from heapq import heappop, heappush
from typing import Literal, TypeAlias

from msgspec import Struct

from windlass.errors import Code, UsageError, did_you_mean
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
    known = {task.name for task in plan.tasks}
    for name in (*only, *([start] if start else [])):
        if name not in known:
            raise UsageError(
                f"pipeline {plan.pipeline!r} has no task {name!r}",
                hint=did_you_mean(name, known),
                code=Code.UNKNOWN_TASK,
            )
    chosen = set(only) or known
    if start is not None:
        chosen = chosen & downstream({task.name: task.needs for task in plan.tasks}, start)
    return chosen | {service for task in plan.tasks if task.name in chosen for service in task.uses}


class _Tally(Struct):
    """What became of the tasks that a task waits for."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, state: Status) -> None:
        self.succeeded += state == Status.SUCCESS
        self.failed += state.is_lost
        self.skipped += state == Status.SKIPPED

    @property
    def are_over(self) -> bool:
        return self.succeeded + self.failed + self.skipped == self.total


class Schedule:
    """The states of a run's tasks. A service is `running` once it is started, and `success` once it was stopped."""

    def __init__(self, plan: Plan, chosen: Collection[str], already: Iterable[str] = ()) -> None:
        self._tasks = {task.name: task for task in plan.tasks}
        self._names = list(self._tasks)
        self._position = {name: i for i, name in enumerate(self._names)}
        self._counts = {*chosen, *already}
        """The tasks that decide about others: not those that the run leaves out."""

        self.states = {name: Status.PENDING if name in chosen else Status.SKIPPED for name in self._tasks}
        self._needs = {name: _Tally() for name in self._tasks}
        self._needed_by: dict[str, list[str]] = defaultdict(list)
        self._used_by: dict[str, list[str]] = defaultdict(list)
        self._users: dict[str, int] = dict.fromkeys(self._tasks, 0)
        """How many tasks that are not over use a service."""

        self._open = sum(state == Status.PENDING for state in self.states.values())
        self._up: set[str] = set()
        self._wanted: set[str] = set()
        """Services that some task waits for, and for nothing else."""

        self._started: set[str] = set()
        """Services that run."""

        self._ready: dict[str | None, list[int]] = defaultdict(list)
        """The tasks that may start, by their pools: heaps of positions."""

        self._stands_for: dict[str, _Tally] = {}
        """What became of the tasks that were made of a task."""

        self._made_of: dict[str, str] = {}

        self._changed = list(range(len(self._names)))
        """A heap of the positions of tasks that have to be looked at again."""

        self._connect()
        for name in already:
            self._close(name, Status.SUCCESS)
        for name in self._names:
            if self._is_unused(name):
                self._close(name, Status.SKIPPED)
        self._look()

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing will."""
        return self._open == 0

    @property
    def failed(self) -> bool:
        """Whether the run failed, as Airflow decides it: by the tasks that no other one needs. Also by a
        service that ended by itself.
        """
        needed = {name for counted in self._counts for name in self._tasks[counted].needs}
        alone = self._tasks.keys() - self._made_of.keys()
        last = [name for name in alone if name not in needed or self._is_service(name)]
        return any(self.states[name].is_lost for name in last)

    def next_task(self, has_slot: Callable[[str | None], bool]) -> Task | None:
        """The first task, in the plan's order, that may start now and whose pool has a slot. Services are apart."""
        first = [heap[0] for pool, heap in self._ready.items() if self._trimmed(heap) and has_slot(pool)]
        return self._tasks[self._names[min(first)]] if first else None

    def next_service(self) -> Task | None:
        """The first service, in the plan's order, that it is time to start: some task waits for nothing else."""
        found = (self._tasks[name] for name in self._in_order(self._wanted) if self._may_start(name))
        return next(found, None)

    def idle_services(self) -> list[str]:
        """The services that run, and that nobody will use any more."""
        return self._in_order(name for name in self._started if not self._users[name])

    def set(self, name: str, state: Status) -> None:
        """Say what became of a task: that it runs, or how it ended."""
        if state.is_over:
            self._close(name, state)
            self._look()
            return
        self.states[name] = state
        self._wanted.discard(name)
        if self._is_service(name):
            self._started.add(name)

    def expand(self, name: str, made: Sequence[Task], already: Collection[str] = ()) -> None:
        """Say which tasks a task stands for from now on: it ends with the last of them. Those that are `already` done are
        not started.
        """
        self._stands_for[name] = _Tally(len(made))
        for task in made:
            self._position[task.name] = len(self._names)
            self._names.append(task.name)
            self._tasks[task.name], self._made_of[task.name] = task, name
            self.states[task.name], self._needs[task.name] = Status.PENDING, _Tally()
            self._open += 1
            for service in task.uses:
                self._used_by[service].append(task.name)
                self._users[service] += 1
            heappush(self._changed, self._position[task.name])
        for task in made:
            if task.name in already:
                self._close(task.name, Status.SUCCESS)
        if not made:
            self._close(name, Status.SUCCESS)
        self._look()

    def cancel(self) -> None:
        """Have nothing more start, whatever becomes of what runs."""
        for name in self._names:
            if self.states[name] == Status.PENDING:
                self._close(name, Status.CANCELLED)
        self._changed.clear()

    def is_up(self, service: str) -> None:
        """Say that a service is ready to be used."""
        self._up.add(service)
        for user in self._used_by[service]:
            heappush(self._changed, self._position[user])
        self._look()

    # --- what follows from what ---

    def _connect(self) -> None:
        for task in self._tasks.values():
            for name in task.needs:
                if name in self._counts:
                    self._needs[task.name].total += 1
                    self._needed_by[name].append(task.name)
            for name in task.uses:
                self._used_by[name].append(task.name)
                self._users[name] += self.states[task.name] == Status.PENDING

    def _look(self) -> None:
        """Look at what has changed, and at what follows from that, each task after all that it needs."""
        while self._changed:
            name = self._names[heappop(self._changed)]
            if self.states[name] != Status.PENDING:
                continue
            decision = self._decision(self._tasks[name])
            if decision == _START:
                self._let_start(self._tasks[name])
            elif decision != Status.PENDING:
                self._close(name, decision)

    def _let_start(self, task: Task) -> None:
        """Nothing but its services keeps the task from starting."""
        self._wanted.update(name for name in task.uses if self.states[name] == Status.PENDING)
        if not self._is_service(task.name) and self._up.issuperset(task.uses):
            heappush(self._ready[task.pool], self._position[task.name])

    def _close(self, name: str, state: Status) -> None:
        """Note how a task ended; services that nobody will use now do not start."""
        ended = [(name, state)]
        while ended:
            name, state = ended.pop()
            was_open, self.states[name] = not self.states[name].is_over, state
            for names in (self._up, self._wanted, self._started):
                names.discard(name)
            for waiting in self._needed_by[name]:
                self._needs[waiting].add(state)
            if (whole := self._made_of.get(name)) is not None:
                self._stands_for[whole].add(state)
                if self._stands_for[whole].are_over:
                    ended.append((whole, self._of_all(whole)))
            for waiting in (*self._needed_by[name], *self._used_by[name]):
                heappush(self._changed, self._position[waiting])
            if was_open:
                self._open -= 1
                for service in self._tasks[name].uses:
                    self._users[service] -= 1
                    if self._is_unused(service):
                        ended.append((service, Status.SKIPPED))

    def _of_all(self, whole: str) -> Status:
        """What becomes of a task with those that it stands for."""
        states = {self.states[name] for name, of in self._made_of.items() if of == whole}
        if Status.CANCELLED in states:
            return Status.CANCELLED
        return Status.SUCCESS if states <= {Status.SUCCESS} else Status.FAILED

    def _decision(self, task: Task) -> _Decision:
        """Whether a task may start, as far as others are concerned, or never will, or has to wait."""
        services = _Tally()
        for name in task.uses:
            if name in self._counts and self.states[name].is_over:
                services.total += 1
                services.add(self.states[name])
        found = _decide("all_success", services)
        return _decide(task.trigger_rule, self._needs[task.name]) if found == _START else found

    def _trimmed(self, heap: list[int]) -> list[int]:
        """The heap, without what has started or ended since at its top."""
        while heap and self.states[self._names[heap[0]]] != Status.PENDING:
            heappop(heap)
        return heap

    # --- services ---

    def _is_service(self, name: str) -> bool:
        return isinstance(self._tasks[name].action, Service)

    def _is_unused(self, name: str) -> bool:
        """Whether it is a service that was not started, and that nobody will use."""
        return self._is_service(name) and self.states[name] == Status.PENDING and not self._users[name]

    def _may_start(self, service: str) -> bool:
        task = self._tasks[service]
        if self._decision(task) != _START or not self._up.issuperset(task.uses):
            return False
        users = (self._tasks[name] for name in self._used_by[service] if self.states[name] == Status.PENDING)
        return any(self._decision(user) == _START for user in users)

    def _in_order(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=self._position.__getitem__)


def _decide(rule: TriggerRule, tally: _Tally) -> _Decision:
    """What a rule says of the tasks that a task needs: start, wait, or what becomes of it instead.

    As in Airflow (`TriggerRuleDep`), where a task that needs none may always start.
    """
    failed, skipped, succeeded = tally.failed, tally.skipped, tally.succeeded
    match rule:
        case "one_success" | "one_failed" if tally.total:
            if succeeded if rule == "one_success" else failed:
                return _START
            none_can = (
                Status.SKIPPED if rule == "one_failed" or skipped == tally.total else Status.UPSTREAM_FAILED
            )
            return none_can if tally.are_over else Status.PENDING
        case "all_success" | "none_failed" if failed:
            return Status.UPSTREAM_FAILED
        case "all_success" if skipped:
            return Status.SKIPPED
        case "all_failed" if succeeded or skipped:
            return Status.SKIPPED
    return _START if tally.are_over else Status.PENDING

"""The tasks that a run makes of a task with entries, and what becomes of that task with them.

Which entries there are is settled once: they are kept in the folder of the run before the first of their tasks starts. So a
run that was killed and is taken up again goes on with the same, whatever the file says by then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import Struct, field

from windlass.entries import Entry
from windlass.files import write_whole
from windlass.plan.instances import from_text, instances, to_text, with_instances
from windlass.plan.model import Plan, Task
from windlass.runner.history import TaskRun
from windlass.runner.schedule import Schedule
from windlass.state_folder import RunFolder
from windlass.status import Status

__all__ = ["Expanding"]

_TOLD = 5  # names of tasks in an error


class Expanding(Struct):
    """The tasks of one run that were made of entries."""

    plan: Plan
    """The plan, with the tasks that were made so far."""

    folder: RunFolder
    records: dict[str, TaskRun]
    """Of all tasks of the run; those that are made join them."""

    earlier: Mapping[str, TaskRun]
    """Of the tasks that an earlier try of the run had made."""

    made: dict[str, list[str]] = field(default_factory=dict)
    """By the task that stands for them."""

    entries: dict[str, tuple[Task, Entry]] = field(default_factory=dict)
    """By the name of the task that was made: what of, and which entry it is about."""

    def expand(self, task: Task, read: Callable[[], list[Entry]], schedule: Schedule) -> list[TaskRun]:
        """Have the tasks of its entries, which are read if no earlier try of the run has. Raises WindlassError."""
        entries = self._kept(task) if self._is_kept(task) else self._keep(task, read())
        tasks = self._make(task, entries)
        self.records[task.name].detail = {"entries": len(tasks)}
        records = [self.records[one.name] for one in tasks]
        done = [record.task for record in records if record.status == Status.SUCCESS]
        schedule.expand(task.name, tasks, done)
        return records

    def recall(self, done: Collection[str]) -> None:
        """Have the tasks that an earlier try of the run had made of those that are done."""
        for task in self.plan.tasks:
            if task.name in done and task.each is not None and self._is_kept(task):
                self._make(task, self._kept(task))

    def ended(self, schedule: Schedule) -> Iterator[TaskRun]:
        """The records of the tasks that have ended with the last that they stand for, and were not told of before."""
        for name, made in self.made.items():
            record, state = self.records[name], schedule.states[name]
            if state.is_over and not record.status.is_over:
                self._note(record, state, [self.records[one] for one in made])
                yield record

    def in_order(self) -> list[TaskRun]:
        """All records, in the order of the plan."""
        return [self.records[task.name] for task in self.plan.tasks]

    def _make(self, task: Task, entries: list[Entry]) -> list[Task]:
        tasks, run_id = instances(self.plan, task, entries), self.records[task.name].run_id
        for one, entry in zip(tasks, entries, strict=True):
            record = self.earlier.get(one.name) or TaskRun(run_id, one.name, one.kind)
            if record.status != Status.SUCCESS:
                record.status = Status.PENDING
            self.records[one.name], self.entries[one.name] = record, (task, entry)
        self.made[task.name] = [one.name for one in tasks]
        self.plan = with_instances(self.plan, task, tasks)
        return tasks

    # --- which entries there are ---

    def _is_kept(self, task: Task) -> bool:
        return self.folder.entries(task.name).exists()

    def _kept(self, task: Task) -> list[Entry]:
        return list(map(from_text, json.loads(self.folder.entries(task.name).read_bytes())))

    def _keep(self, task: Task, entries: list[Entry]) -> list[Entry]:
        file = self.folder.entries(task.name)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(file, json.dumps(list(map(to_text, entries)), ensure_ascii=False))
        return entries

    # --- what has become of them ---

    def _note(self, record: TaskRun, state: Status, made: list[TaskRun]) -> None:
        """Put down in the record of a task that stands for others what has become of it with them."""
        lost = [one for one in made if one.status.is_lost]
        record.status = state
        record.retryable = bool(lost) and all(one.retryable for one in lost)
        record.code = next((one.code for one in lost if one.code), None)
        record.error = _why(lost, len(made)) if state == Status.FAILED else None


def _why(lost: list[TaskRun], total: int) -> str:
    """What is to be said where not all entries came to a good end."""
    named = ", ".join(record.task for record in lost[:_TOLD])
    more = f" and {len(lost) - _TOLD:,} more" if len(lost) > _TOLD else ""
    cause = next((f": {record.error}" for record in lost if record.error), "")
    return f"{len(lost):,} of {total:,} entries failed: {named}{more}{cause}"

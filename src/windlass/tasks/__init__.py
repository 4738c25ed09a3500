"""What a task does, by its kind: `copy`, `sql`, `check`, `notify`, `download` and `run`, each in a module of its own.

A task runs in a process of its own (`windlass exec`), on a laptop as in a container. A `run` task is a
command besides, which the runner of a laptop starts itself. `service` and `trigger` are not here: they are
more than one task.
"""

from __future__ import annotations

from collections.abc import Sequence

from windlass.errors import UsageError
from windlass.ledger import LedgerEntry
from windlass.plan.model import Action, Check, Copy, Download, Notify, Plan, RunCommand, Sql, Task, Tell
from windlass.stopping import ended_soon
from windlass.tasks.context import Context, TaskResult

__all__ = ["Context", "TaskResult", "execute", "settle_task", "split_task"]


def execute(plan: Plan, task: Task, context: Context) -> TaskResult:
    """Do what the task says. Raises WindlassError."""
    action = context.rendered(task.action)
    if isinstance(action, RunCommand):  # which has a time of its own to end in
        from windlass.tasks.command import run_command

        return run_command(task, context)
    with ended_soon():
        return _done(plan, task, action, context)


def _done(plan: Plan, task: Task, action: Action, context: Context) -> TaskResult:
    match action:
        case Copy():
            from windlass.tasks.copy import run_copy

            return run_copy(plan, task.name, action, context)
        case Sql():
            from windlass.tasks.sql import run_sql

            return run_sql(action, context)
        case Check():
            from windlass.tasks.check import run_check

            return run_check(action, context)
        case Notify():
            from windlass.tasks.notify import run_notify

            return run_notify(plan, task.name, action, context)
        case Tell():
            from windlass.tasks.tell import run_tell

            return run_tell(plan, task.name, context)
        case Download():
            from windlass.tasks.download import run_download

            return run_download(LedgerEntry(plan.pipeline, task.name, context.run_key), action, context)
        case _:
            raise TypeError(f"a {task.kind} task is not executed, but started")


def settle_task(plan: Plan, task: Task, context: Context, loads: Sequence[str]) -> TaskResult:
    """The result of a task whose attempts, of these load ids, were killed. Raises WindlassError if there is none."""
    from windlass.tasks.copy import settle_copy

    return settle_copy(plan, task.name, _copy_of(task, context), context, loads)


def split_task(plan: Plan, task: Task, context: Context) -> TaskResult:
    """The parts of a task, in the `detail` of the result. Raises WindlassError if it has none."""
    from windlass.tasks.copy import split_copy

    return split_copy(plan, task.name, _copy_of(task, context), context)


def _copy_of(task: Task, context: Context) -> Copy:
    action = context.rendered(task.action)
    if not isinstance(action, Copy):
        raise UsageError(f"{task.name!r} is a {task.kind} task, and only a copy has parts and a ledger")
    return action

"""What the text did, beside what the plan would have done with the same outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from windlass.plan.model import Plan, Service
from windlass.rehearsing.container import Ran
from windlass.runner.schedule import Schedule
from windlass.status import Status

__all__ = ["differences"]


def differences(plan: Plan, ran: Mapping[str, Ran]) -> list[str]:
    """What the plan has otherwise: tasks that ran and should not have, or the other way, and tasks out of their order.

    `ran` are the outcomes by the names of tasks.
    """
    return [*_by_rules(plan, ran), *_by_order(plan, ran)]


def _by_rules(plan: Plan, ran: Mapping[str, Ran]) -> Iterator[str]:
    """Plays the plan with these outcomes."""
    schedule = Schedule(plan, {task.name for task in plan.tasks})
    wanted = set()
    while not schedule.over:
        while (service := schedule.next_service()) is not None:
            schedule.set(service.name, Status.RUNNING)
            schedule.is_up(service.name)
        task = schedule.next_task(lambda _: True)
        if task is not None:
            wanted.add(task.name)
            outcome = ran.get(task.name)
            schedule.set(task.name, Status.FAILED if outcome is None or outcome.code else Status.SUCCESS)
        for name in schedule.idle_services():
            schedule.set(name, Status.SUCCESS)
    yield from (f"{name} did not run, and would by the plan" for name in _missing(plan, wanted, ran))
    yield from (f"{name} ran, and would not by the plan" for name in ran if name not in wanted)


def _missing(plan: Plan, wanted: set[str], ran: Mapping[str, Ran]) -> list[str]:
    return [t.name for t in plan.tasks if t.name in wanted and t.name not in ran]


def _by_order(plan: Plan, ran: Mapping[str, Ran]) -> Iterator[str]:
    services = {task.name for task in plan.tasks if isinstance(task.action, Service)}
    for task in plan.tasks:
        for needed in task.needs:
            both = task.name in ran and needed in ran and needed not in services
            if both and ran[task.name].began < ran[needed].ended:
                yield f"{task.name} began before {needed}, which it needs, had ended"

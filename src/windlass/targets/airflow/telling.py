"""The task that tells what became of a run: Airflow runs it last, as every other in the environment of its runtime."""

from __future__ import annotations

from msgspec.structs import replace

from windlass import registry
from windlass.plan.actions import own_unit
from windlass.plan.model import Plan, Retry, Task, Tell

__all__ = ["NAME", "with_telling"]

NAME = "windlass__tell"
_RETRY = Retry(retries=3, delay=30.0)
_TIMEOUT = 600.0


def with_telling(plan: Plan, *, has_image: bool) -> Plan:
    """The plan, with such a task if anybody is told. `has_image` is whether the project has an image of its own."""
    who: tuple[Plan | Task, ...] = (plan, *plan.tasks)
    named = (name for each in who for name in (*each.on_failure, *each.on_recovery, *each.on_success))
    connections = tuple(dict.fromkeys(named))
    if not connections:
        return plan
    known = plan.connections
    opened = tuple(name for name in connections if registry.require(known[name].type).alert_is_open)
    task = Task(
        name=NAME,
        description="Tells what became of the run",
        retry=_RETRY,
        timeout=_TIMEOUT,
        connections=connections,
        action=Tell(connections=connections, open=opened),
        unit=own_unit(plan.pipeline, NAME, None, has_image=has_image),
    )
    return replace(plan, tasks=(*plan.tasks, task))

"""What becomes of a schedule when the clock is changed, under schedulers that have other ticks then than Airflow and we."""

from __future__ import annotations

from windlass.plan.changes import met_change
from windlass.plan.model import Plan
from windlass.targets.refusing import Refusals

__all__ = ["check_clock"]

_HINT = "take a time of day that the clock there always shows once, or `timezone: UTC`; Airflow has one run for it"


def check_clock(plan: Plan, refusals: Refusals, *, hourly: bool = False) -> None:
    """Note a tick that the scheduler would leave out, or have twice: the data of its interval would be loaded by no run, or by
    two. `hourly` as for `met_change`.
    """
    met = met_change(plan.schedule, plan.timezone, hourly=hourly)
    if met is not None:
        message = f"does not start one run where the clock is changed: {plan.timezone} {met}"
        refusals.add(plan.pipeline, ("schedule",), message, _HINT)

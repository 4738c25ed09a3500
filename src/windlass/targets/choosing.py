"""Which pipelines of a project an export is of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from windlass.errors import Code, UsageError, did_you_mean
from windlass.plan.model import Plan, Trigger
from windlass.targets import CompiledProject

__all__ = ["chosen_of", "only", "reached_by", "with_triggered"]


def chosen_of(project: CompiledProject, names: str | None) -> list[str]:
    """The pipelines of these names, with commas between them; without any, all. Raises UsageError for one that is not there."""
    if names is None:
        return list(project.plans)
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in chosen:
        if name not in project.plans:
            hint = did_you_mean(name, project.plans)
            raise UsageError(f"there is no pipeline {name!r}", hint=hint, code=Code.UNKNOWN_PIPELINE)
    return chosen


def only(project: CompiledProject, names: Iterable[str]) -> CompiledProject:
    """The project, as if it had these pipelines alone, in its order."""
    wanted = set(names)
    return replace(project, plans={name: plan for name, plan in project.plans.items() if name in wanted})


def reached_by(project: CompiledProject, names: Iterable[str]) -> dict[str, Plan]:
    """The plans of these pipelines, and of those that their runs start, by name."""
    plans = project.plans
    return {plan.pipeline: plan for name in names for plan in with_triggered(plans[name], plans)}


def with_triggered(plan: Plan, plans: Mapping[str, Plan]) -> list[Plan]:
    """The plan, and those of all pipelines that a run of it starts."""
    found, waiting = {plan.pipeline: plan}, [plan]
    while waiting:
        for task in waiting.pop().tasks:
            other = plans.get(task.action.pipeline) if isinstance(task.action, Trigger) else None
            if other is not None and other.pipeline not in found:
                found[other.pipeline] = other
                waiting.append(other)
    return list(found.values())

"""Pipelines that start others: the other one is there, takes what it is given, and does not start this one again."""

from __future__ import annotations

from collections.abc import Mapping

from windlass.errors import Code, UsageError
from windlass.plan import model
from windlass.plan.compiler.draft import Draft
from windlass.plan.params import param
from windlass.spec.yaml import KeyPath
from windlass.templates import is_template

__all__ = ["check_trigger"]


def check_trigger(trigger: model.Trigger, path: KeyPath, draft: Draft) -> None:
    """Look at what a task starts, which stands at `path`."""
    around, notes = draft.around, draft.notes
    if trigger.pipeline not in around.triggers:
        if around.is_whole:
            hint = notes.near(trigger.pipeline, around.triggers)
            message = f"unknown pipeline {trigger.pipeline!r}"
            notes.problem((*path, "pipeline"), Code.UNKNOWN_PIPELINE, message, hint)
        return
    here = draft.spec.pipeline
    chain = _chain(around.triggers, trigger.pipeline, here)
    if chain and (here == min(chain) or not around.all_at_once):
        message = f"triggers itself: {' → '.join((here, *chain))}"
        notes.problem((*path, "pipeline"), Code.TRIGGER_CYCLE, message)
    if trigger.pipeline in around.params:
        _check_given(trigger, around.params[trigger.pipeline], (*path, "params"), draft)


def _check_given(
    trigger: model.Trigger, declared: Mapping[str, model.Param], path: KeyPath, draft: Draft
) -> None:
    """Whether the other pipeline has these parameters, and takes these values."""
    whose, notes = f"pipeline {trigger.pipeline!r}", draft.notes
    for name, value in trigger.params.items():
        if name not in declared:
            message = f"{whose} has no parameter {name!r}"
            hint = notes.near(name, declared)
            notes.problem((*path, name), Code.UNKNOWN_PARAMETER, message, hint, at_key=True)
        elif not (isinstance(value, str) and is_template(value)):
            try:
                param(name, declared[name], value)
            except UsageError as exc:
                notes.problem((*path, name), Code.PARAMETER_OF_OTHER_TYPE, f"{whose}, {exc}")


def _chain(triggers: Mapping[str, frozenset[str]], start: str, goal: str) -> list[str]:
    """The way from `start` to `goal` along triggers, both included; empty when there is none."""
    came_from: dict[str, str | None] = {start: None}
    todo = [start]
    while todo:
        name = todo.pop(0)
        if name == goal:
            path = [name]
            while (before := came_from[path[0]]) is not None:
                path.insert(0, before)
            return path
        for following in sorted(triggers.get(name, ())):
            if following not in came_from:
                came_from[following] = name
                todo.append(following)
    return []

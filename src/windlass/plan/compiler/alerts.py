"""Who is told what becomes of a pipeline or a task."""

from __future__ import annotations

from windlass.errors import Code
from windlass.plan.compiler.draft import Draft
from windlass.spec.pipeline import Pipeline, Task
from windlass.spec.yaml import KeyPath

__all__ = ["told_by"]


def told_by(key: str, spec: Pipeline | Task, at: KeyPath, draft: Draft) -> tuple[str, ...]:
    """The connections that `on_failure` or another key of what stands at `at` names."""
    names: list[str] = getattr(spec, key)
    if names and (why := _why_never(key, spec, at, draft)):
        draft.notes.problem((*at, key), Code.KEYS_DO_NOT_FIT, *why, at_key=True)
    return tuple(draft.references.connection(name, "alert", (*at, key, i)) for i, name in enumerate(names))


def _why_never(key: str, spec: Pipeline | Task, at: KeyPath, draft: Draft) -> tuple[str, str] | None:
    """Why nobody would ever be told of that, and what to do."""
    lacks = draft.file.lacks
    if key == "on_recovery" and not (spec.on_failure or getattr(spec, "on_missed", [])):
        message = "`on_recovery` announces that a failure is over, and failures are not announced"
        return None if lacks(*at, "on_failure") else (message, "add `on_failure`")
    if key == "on_missed" and isinstance(spec, Pipeline) and spec.freshness is None:
        message = "`on_missed` says that there was no success in time, and nothing says in which"
        return None if lacks("freshness") else (message, "add `freshness`, such as {within: 26h}")
    return None

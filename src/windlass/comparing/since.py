"""A project, and as it was where it parted from a commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from windlass.building import Step, plan_builds, project_since
from windlass.comparing.changes import PipelineChanges, compared, outlets
from windlass.errors import SpecError
from windlass.plan.compiler import compile_project
from windlass.plan.model import Plan
from windlass.spec import load_project

__all__ = ["Difference", "difference_since"]


@dataclass(frozen=True)
class Difference:
    """What a change of the files does."""

    pipelines: tuple[PipelineChanges, ...]
    total: int
    """How many pipelines there are now."""

    written: Mapping[str, list[str]]
    """Tables and files that nothing wrote before, each with the tasks that do now."""

    abandoned: Mapping[str, list[str]]
    """Those that nothing writes any more, each with the tasks that did."""

    images: tuple[Step, ...]
    """The images that have to be built anew, and why."""

    was_valid: bool = True
    """Whether the project could be compiled as it was; if not, every pipeline counts as added."""


def difference_since(project: Path, since: str) -> Difference:
    """What has changed since the project parted from a commit, also what is not committed. Raises SpecError for a
    project that is not valid now, UsageError where git cannot tell.
    """
    now = compile_project(load_project(project))
    with project_since(project, since) as earlier:
        before = _compiled(earlier)
    old, new = outlets(before or {}), outlets(now)
    return Difference(
        tuple(compared(before or {}, now)),
        len(now),
        {name: tasks for name, tasks in new.items() if name not in old},
        {name: tasks for name, tasks in old.items() if name not in new},
        plan_builds(project, since=since).steps,
        was_valid=before is not None,
    )


def _compiled(project: Path) -> dict[str, Plan] | None:
    """None where it was not valid."""
    if not project.is_dir():
        return {}
    try:
        return compile_project(load_project(project))
    except SpecError:
        return None

"""A project compiled: all of it, or the one pipeline that somebody wants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from windlass.api.arguments import project_of
from windlass.errors import Code, UsageError

if TYPE_CHECKING:
    from windlass.plan.model import Plan

__all__ = ["compile", "compile_one"]


def compile(project: str | Path = ".") -> dict[str, Plan]:
    """Check every file of a project. Returns the plan of each pipeline, with its default parameters.

    `project` is a folder with `windlass.yaml`, or one below it. Raises SpecError with everything that is wrong, each with
    file, line and column.
    """
    from windlass.plan.compiler import compile_project
    from windlass.spec import load_project

    return compile_project(load_project(project_of(project)))


def compile_one(
    project: Path, pipeline: str | None, params: Mapping[str, object], *, params_at_run: bool = False
) -> Plan:
    """Compile one pipeline of a project, with its parameters; None is the only one. Raises SpecError or UsageError."""
    from windlass.plan.compiler import Scope, compile
    from windlass.spec import load_project

    files = load_project(project, only=pipeline)
    if pipeline is None:
        files.checked()
        if len(files.pipelines) != 1:
            names = ", ".join(files.pipelines) or "none"
            hint = f"the project has: {names}"
            raise UsageError("which pipeline?", hint=hint, code=Code.UNKNOWN_PIPELINE)
        pipeline = next(iter(files.pipelines))
    file = files.pipeline(pipeline)
    if any(task.trigger for task in file.spec.tasks.values()) or not isinstance(file.spec.schedule, str):
        files = load_project(project)  # a trigger or asset is checked against the other pipelines
    return compile(file, params, Scope.of(files), params_at_run=params_at_run)

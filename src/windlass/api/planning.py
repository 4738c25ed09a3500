"""A project compiled: all of it, or the one pipeline that somebody wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from windlass.api.arguments import project_of
from windlass.errors import Code, FatalError, UsageError

if TYPE_CHECKING:
    from windlass.errors import Problem
    from windlass.plan.model import Plan
    from windlass.spec import ProjectFiles

__all__ = ["compile", "compile_one", "read_plan", "validate"]


def compile(project: str | Path = ".") -> dict[str, Plan]:
    """Check every file of a project. Returns the plan of each pipeline, with its default parameters.

    `project` is a folder with `windlass.yaml`, or one below it. Raises SpecError with everything that is wrong, each with
    file, line and column.
    """
    from windlass.plan.compiler import compile_project
    from windlass.spec import load_project

    return compile_project(load_project(project_of(project)))


def validate(project: Path) -> dict[str, Plan]:
    """Compile a project, and check it against the targets that it names. Raises SpecError with everything that is wrong."""
    from windlass.errors import SpecError
    from windlass.plan.compiler import compile_project
    from windlass.spec import load_project

    files = load_project(project)
    try:
        plans = compile_project(files)
    except SpecError as exc:
        problems = [*exc.problems, *_problems_of_targets(files)]
        raise SpecError(sorted(problems, key=lambda problem: problem.file)) from None
    if files.spec.targets:
        from windlass.targets import CompiledProject
        from windlass.targets.declared import inexpressible

        if found := inexpressible(CompiledProject(files, plans)):
            raise SpecError(found)
    return plans


def _problems_of_targets(files: ProjectFiles) -> Sequence[Problem]:
    """What is wrong with the targets that a project names, which nothing else has to be right for."""
    from windlass.errors import SpecError
    from windlass.targets.declared import declared

    try:
        declared(files.spec, files.document)
    except SpecError as exc:
        return exc.problems
    return ()


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


def read_plan(file: Path, pipeline: str | None, params: Mapping[str, object]) -> Plan:
    """The plan of a pipeline out of a file that was exported or compiled, with the parameters of a run.

    Raises FatalError for a file that is none, UsageError for arguments that make no sense.
    """
    from windlass.plan.bundle import plan_of_bundle
    from windlass.plan.fence import require_fenced
    from windlass.plan.params import with_overrides

    if pipeline is None:
        raise UsageError("which pipeline of the plan?", hint="name it in front of --plan")
    try:
        plan = plan_of_bundle(file.read_bytes(), pipeline)
    except OSError as exc:
        raise FatalError(f"{file}: {exc.strerror}", code=Code.UNREADABLE_FILE) from exc
    if plan.pipeline != pipeline:
        message = f"{file} has the plan of {plan.pipeline}, not of {pipeline}"
        raise UsageError(message, code=Code.UNKNOWN_PIPELINE)
    wanted = with_overrides(pipeline, plan.params, params)
    if wanted == plan.params:
        return plan
    if not plan.params_open:
        raise UsageError(f"{file} was compiled with its parameters, and takes no others")
    for task in plan.tasks:
        require_fenced(task, plan.params, wanted)
    return replace(plan, params=wanted)

"""The compiler: one pipeline of a project, with its parameters, to a Plan or to every problem in it.

A `Draft` goes from room to room: `timing` asks when it runs, `one_task` makes each task, with `filling` for its
templates and `references` for what it names of the project, and `ordering` puts all of them in order. Whatever is wrong
goes to `noting`, and all of it is told at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from windlass.errors import SpecError, UsageError
from windlass.plan import model
from windlass.plan.actions import containers_of
from windlass.plan.compiler.alerts import told_by
from windlass.plan.compiler.draft import Draft
from windlass.plan.compiler.ordering import tasks_in_order
from windlass.plan.compiler.surroundings import Surroundings
from windlass.plan.compiler.timing import schedule_of
from windlass.plan.compiler.written import Written, written_in
from windlass.plan.facts import with_facts
from windlass.plan.params import with_overrides
from windlass.spec.files import PipelineFile, ProjectFiles

__all__ = ["Scope", "compile", "compile_project"]


class Scope(Struct, frozen=True):
    """All that a pipeline is compiled with beside its own file."""

    around: Surroundings
    written: Written | None
    """What the tasks of the project write; None when nobody asks, or it cannot be known."""

    @classmethod
    def of(cls, files: ProjectFiles, *, all_at_once: bool = False) -> Self:
        """The scope of the pipelines of a project; `all_at_once` says that all of them are compiled in it."""
        around = Surroundings.of(files)
        return cls(replace(around, all_at_once=all_at_once), written_in(files, around))


def compile_project(files: ProjectFiles) -> dict[str, model.Plan]:
    """Compile every pipeline with its default parameters. Raises SpecError with the problems of all."""
    scope = Scope.of(files, all_at_once=True)
    problems = dict.fromkeys(files.problems)
    plans: dict[str, model.Plan] = {}
    for name, file in files.pipelines.items():
        try:
            plans[name] = compile(file, {}, scope)
        except SpecError as exc:
            problems.update(dict.fromkeys(exc.problems))
    if problems:
        raise SpecError(sorted(problems, key=lambda p: p.file))
    return plans


def compile(
    file: PipelineFile,
    params: Mapping[str, object],
    scope: Scope,
    *,
    params_at_run: bool = False,
) -> model.Plan:
    """Compile one pipeline. Pure: reads no file, asks no server, looks at no clock.

    With `params_at_run` the templates that need parameters stay templates, whatever `params` says.

    Raises SpecError with every problem of the file, and of the project file, UsageError for a parameter that it
    does not have.
    """
    spec = file.spec
    known = {name: value for name, value in params.items() if not file.lacks("params", name)}
    try:
        values = with_overrides(spec.pipeline, spec.params, known)
    except UsageError:
        _plan(Draft.of(file, scope.around, spec.params), scope)  # what is wrong with the file comes first
        raise
    return _plan(Draft.of(file, scope.around, values, params_at_run=params_at_run), scope)


def _plan(draft: Draft, scope: Scope) -> model.Plan:
    """The plan of a draft. Raises SpecError with all that is wrong with it."""
    spec, project = draft.spec, scope.around.project
    schedule, assets = schedule_of(draft, scope.written)
    alerts = ("on_failure", "on_success", "on_recovery", "on_missed")
    told = {key: told_by(key, spec, (), draft) for key in alerts}
    ordered = tasks_in_order(draft)
    problems = (*scope.around.problems, *draft.notes.problems)
    if problems or draft.file.problems:
        raise draft.file.refused(problems)
    return model.Plan(
        project=project.project,
        pipeline=spec.pipeline,
        description=spec.description,
        owner=spec.owner or project.owner,
        tags=tuple(spec.tags),
        schedule=schedule,
        assets=assets,
        timezone=spec.timezone,
        start=spec.start,
        catchup=spec.catchup,
        concurrency=spec.concurrency,
        timeout=spec.timeout,
        params=draft.filling.params,
        params_open=draft.filling.params_at_run,
        on_failure=told["on_failure"],
        on_success=told["on_success"],
        on_recovery=told["on_recovery"],
        on_missed=told["on_missed"],
        freshness=spec.freshness.within if spec.freshness else None,
        connections=dict(sorted(draft.references.connections.items())),
        pools=dict(sorted(draft.references.pools.items())),
        containers=containers_of(project.runtimes.docker),
        tasks=with_facts(ordered, draft.filling.named, draft.filling.params),
    )

"""The compiler: one pipeline of a project, with its parameters, to a Plan or to every problem in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from windlass import registry
from windlass.errors import Problem, SpecError, did_you_mean
from windlass.plan import model
from windlass.plan.actions import action_of
from windlass.plan.assets import with_assets
from windlass.plan.graph import Cycle, order
from windlass.plan.mapping import with_mapping
from windlass.plan.params import with_overrides
from windlass.plan.roles import Role, misfit
from windlass.plan.schedule import check_schedule, check_timezone
from windlass.plan.templates import Names, TemplateError, Uses, evaluate
from windlass.spec.ends import CopyEnd
from windlass.spec.files import PipelineFile, ProjectFiles
from windlass.spec.model import Model
from windlass.spec.pipeline import Assets, Defaults
from windlass.spec.pipeline import Task as SpecTask
from windlass.spec.project import Project
from windlass.spec.yaml import KeyPath

__all__ = ["Environment", "compile", "compile_project"]

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Environment:
    """What a pipeline finds around it in its project. `triggers` maps a pipeline to those it triggers."""

    project: Project
    triggers: Mapping[str, frozenset[str]]
    is_whole: bool = True
    """Whether all pipelines of the project are known; else nothing can be said of an unknown one."""

    assets: frozenset[str] | None = None
    """What the tasks of the project write; None when that is not known, or nobody asks."""

    @classmethod
    def of(cls, files: ProjectFiles) -> Environment:
        triggers = {name: _triggered(file) for name, file in files.pipelines.items()}
        found = cls(files.spec, triggers, is_whole=not files.problems)
        asked = any(isinstance(file.spec.schedule, Assets) for file in files.pipelines.values())
        return replace(found, assets=_written(files, found)) if asked and found.is_whole else found


def compile_project(files: ProjectFiles) -> dict[str, model.Plan]:
    """Compile every pipeline with its default parameters. Raises SpecError with the problems of all."""
    environment = Environment.of(files)
    problems = list(files.problems)
    plans: dict[str, model.Plan] = {}
    for name, file in files.pipelines.items():
        try:
            plans[name] = compile(file, {}, environment)
        except SpecError as exc:
            problems.extend(exc.problems)
    if problems:
        raise SpecError(sorted(problems, key=lambda p: p.file))
    return plans


def _written(files: ProjectFiles, environment: Environment) -> frozenset[str] | None:
    """The outlets of all tasks; None when a pipeline has problems, which are told elsewhere."""
    try:
        plans = [compile(file, {}, environment) for file in files.pipelines.values()]
    except SpecError:
        return None
    return frozenset(name for plan in plans for task in plan.tasks for name in task.outlets)


def compile(
    file: PipelineFile,
    params: Mapping[str, object],
    environment: Environment,
    *,
    params_at_run: bool = False,
) -> model.Plan:
    """Compile one pipeline. Pure: reads no file, asks no server, looks at no clock.

    With `params_at_run` the templates that need parameters stay templates, whatever `params` says.

    Raises SpecError with every problem of the file, UsageError for a parameter it does not have.
    """
    return _Compiler(file, with_overrides(file, params), environment, params_at_run).plan()


def _triggered(file: PipelineFile) -> frozenset[str]:
    return frozenset(task.trigger.pipeline for task in file.spec.tasks.values() if task.trigger)


@dataclass
class _Compiler:
    file: PipelineFile
    params: dict[str, model.Param]
    environment: Environment
    params_at_run: bool = False
    problems: list[Problem] = field(default_factory=list)
    connections: dict[str, model.Connection] = field(default_factory=dict)
    pools: dict[str, int] = field(default_factory=dict)

    def plan(self) -> model.Plan:
        spec = self.file.spec
        schedule, assets = self._when()
        on_failure = [self._alert(n, ("on_failure", i)) for i, n in enumerate(spec.on_failure)]
        tasks = {name: self._task(name, task) for name, task in spec.tasks.items()}
        ordered = self._in_order({name: task for name, task in tasks.items() if task})
        if self.problems:
            raise SpecError(sorted(self.problems, key=lambda p: (p.file, p.line, p.column)))
        return model.Plan(
            project=self.environment.project.project,
            pipeline=spec.pipeline,
            description=spec.description,
            tags=tuple(spec.tags),
            schedule=schedule,
            assets=assets,
            timezone=spec.timezone,
            start=spec.start,
            catchup=spec.catchup,
            concurrency=spec.concurrency,
            params=self.params,
            on_failure=tuple(on_failure),
            connections=dict(sorted(self.connections.items())),
            pools=dict(sorted(self.pools.items())),
            tasks=with_assets(ordered),
        )

    # --- one task ---

    def _task(self, name: str, task: SpecTask) -> model.Task | None:
        at: KeyPath = ("tasks", name)
        kind = task.kind
        uses = Uses()
        action_spec = self._evaluated(task.action, (*at, kind), uses)
        try:
            action = action_of(action_spec, self._evaluated_files(task, (*at, kind), uses))
        except ValueError as exc:
            self._problem((*at, kind), str(exc))
            return None
        self._check_connections(action, (*at, kind))
        self._check_trigger(action, (*at, kind))
        return model.Task(
            name=name,
            description=task.description,
            group=self._group(name, task),
            needs=self._needs(name, task, uses),
            uses=self._uses(name, task, uses),
            trigger_rule=task.trigger_rule,
            retry=_retry(task, self.file.spec.defaults),
            timeout=task.timeout if task.timeout is not None else self.file.spec.defaults.timeout,
            pool=self._pool(name, task),
            inlets=self._assets(name, "inlets", task.inlets, uses),
            outlets=self._assets(name, "outlets", task.outlets, uses),
            action=with_mapping(action, self.connections),
        )

    def _group(self, name: str, task: SpecTask) -> str | None:
        outermost = task.group.partition(".")[0] if task.group else ""
        if outermost in self.file.spec.tasks:
            self._problem(("tasks", name, "group"), f"the group {outermost!r} has the name of a task")
        return task.group

    def _pool(self, name: str, task: SpecTask) -> str | None:
        if task.service:
            return None
        pool = task.pool or self.file.spec.defaults.pool
        path: KeyPath = ("tasks", name, "pool") if task.pool else ("defaults", "pool")
        pools = self.environment.project.pools
        if pool is not None and pool not in pools:
            hint = did_you_mean(pool, pools) or "declare it under `pools` in windlass.yaml"
            self._problem(path, f"unknown pool {pool!r}", hint)
        elif pool is not None:
            self.pools[pool] = pools[pool]
        return pool

    def _assets(self, name: str, key: str, written: list[str], uses: Uses) -> tuple[str, ...]:
        return tuple(str(self._string(text, ("tasks", name, key, i), uses)) for i, text in enumerate(written))

    def _needs(self, name: str, task: SpecTask, uses: Uses) -> tuple[str, ...]:
        tasks = self.file.spec.tasks
        for i, needed in enumerate(task.needs):
            path = ("tasks", name, "needs", i)
            if needed not in tasks:
                self._problem(path, f"needs unknown task {needed!r}", did_you_mean(needed, tasks))
            elif tasks[needed].service:
                self._problem(path, f"{needed!r} is a service and never ends", "name it in `uses`")
        known = {n for n in task.needs if n in tasks}
        return tuple(n for n in tasks if n in known or (n in uses.tasks and n != name))

    def _uses(self, name: str, task: SpecTask, uses: Uses) -> tuple[str, ...]:
        tasks, services = self.file.spec.tasks, self._services()
        for i, used in enumerate(task.uses):
            path = ("tasks", name, "uses", i)
            if used not in tasks:
                self._problem(path, f"uses unknown service {used!r}", did_you_mean(used, services))
            elif used not in services:
                hint = f"it is a {tasks[used].kind} task; name it in `needs`"
                self._problem(path, f"uses {used!r}, which is no service", hint)
        known = {*task.uses, *uses.services} & services
        return tuple(n for n in tasks if n in known and n != name)

    def _services(self) -> frozenset[str]:
        return frozenset(name for name, task in self.file.spec.tasks.items() if task.service)

    # --- templates ---

    def _evaluated(self, mapping: M, path: KeyPath, uses: Uses) -> M:
        """A copy of the mapping in which every string is evaluated as far as it can be."""
        changes: dict[str, object] = {}
        for name in mapping.model_fields_set:
            alias = type(mapping).model_fields[name].alias or name
            value = getattr(mapping, name)
            changed = self._value(value, (*path, alias), uses)
            if changed is not value:
                changes[name] = changed
        return mapping.model_copy(update=changes) if changes else mapping

    def _value(self, value: object, path: KeyPath, uses: Uses) -> object:
        if isinstance(value, str):
            return self._string(value, path, uses)
        if isinstance(value, Model):
            return self._evaluated(value, path, uses)
        if isinstance(value, CopyEnd):
            return replace(value, options=self._value(value.options, path, uses))  # type: ignore[arg-type]
        if isinstance(value, dict):
            return {k: self._value(v, (*path, k), uses) for k, v in value.items()}
        if isinstance(value, list):
            return [self._value(v, (*path, i), uses) for i, v in enumerate(value)]
        return value

    def _string(self, text: str, path: KeyPath, uses: Uses) -> object:
        names = Names(self.params, self._services(), frozenset(self.file.spec.tasks), self.params_at_run)
        try:
            value = evaluate(text, names, uses)
        except TemplateError as exc:
            self._problem(path, str(exc), exc.hint)
            return text
        keeps_type = len(path) > 3 and path[2:4] == ("trigger", "params")
        if keeps_type or isinstance(value, str):
            return value
        return "" if value is None else str(value)

    def _evaluated_files(self, task: SpecTask, path: KeyPath, uses: Uses) -> dict[str, str]:
        """The files the task names; SQL files are templates too."""
        if task.sql is None or task.sql.file is None:
            return self.file.included
        text = self._string(self.file.included[task.sql.file], (*path, "file"), uses)
        return {task.sql.file: str(text)}

    # --- names ---

    def _connection(self, name: str, path: KeyPath) -> str:
        declared = self.environment.project.connections
        if name not in declared:
            hint = did_you_mean(name, declared) or "declare it under `connections` in windlass.yaml"
            self._problem(path, f"unknown connection {name!r}", hint)
            return name
        connection = declared[name]
        form = registry.require(connection.type).form
        self.connections[name] = model.Connection(type=connection.type, form=str(form), dev=connection.dev)
        return name

    def _alert(self, name: str, path: KeyPath) -> str:
        self._connection(name, path)
        self._check_role(name, "alert", path)
        return name

    def _check_connections(self, action: model.Action, path: KeyPath) -> None:
        for at, name, role in _named_connections(action):
            self._connection(name, (*path, *at))
            self._check_role(name, role, (*path, *at))

    def _check_role(self, name: str, role: Role, path: KeyPath) -> None:
        declared = self.connections.get(name)
        wrong = misfit(declared.type, role) if declared else None
        if wrong is not None:
            self._problem(path, f"connection {name!r} {wrong[0]}", wrong[1])

    def _check_trigger(self, action: model.Action, path: KeyPath) -> None:
        if not isinstance(action, model.Trigger):
            return
        triggers = self.environment.triggers
        if action.pipeline not in triggers:
            if not self.environment.is_whole:
                return
            hint = did_you_mean(action.pipeline, triggers)
            self._problem((*path, "pipeline"), f"unknown pipeline {action.pipeline!r}", hint)
            return
        here = self.file.spec.pipeline
        chain = _chain(triggers, action.pipeline, here)
        if chain:
            self._problem((*path, "pipeline"), f"triggers itself: {' → '.join((here, *chain))}")

    # --- the whole ---

    def _in_order(self, tasks: dict[str, model.Task]) -> tuple[model.Task, ...]:
        needs = {n: [b for b in (*t.needs, *t.uses) if b in tasks] for n, t in tasks.items()}
        try:
            return tuple(tasks[name] for name in order(needs))
        except Cycle as exc:
            name, needed = exc.path[0], exc.path[1]
            written = self.file.spec.tasks[name].needs
            path: KeyPath = ("tasks", name)
            if needed in written:
                path = (*path, "needs", written.index(needed))
            self._problem(path, f"the tasks need each other in a circle: {exc}")
            return ()

    def _when(self) -> tuple[str, tuple[str, ...]]:
        """The schedule by time, and the one by data."""
        written = self.file.spec.schedule
        schedule = written if isinstance(written, str) else "none"
        assets = () if isinstance(written, str) else tuple(written.assets)
        for key, wrong in (
            ("schedule", check_schedule(schedule)),
            ("timezone", check_timezone(self.file.spec.timezone)),
        ):
            if wrong:
                self._problem((key,), wrong)
        known = self.environment.assets
        for i, name in enumerate(assets):
            if known is not None and name not in known:
                hint = did_you_mean(name, known)
                self._problem(("schedule", "assets", i), f"no task of the project writes {name!r}", hint)
        return schedule, assets

    def _problem(self, path: KeyPath, message: str, hint: str | None = None) -> None:
        problem = self.file.document.problem(path, message, hint=hint)
        if problem not in self.problems:  # a default is looked at for each task
            self.problems.append(problem)


def _named_connections(action: model.Action) -> Iterable[tuple[KeyPath, str, Role]]:
    """Where an action names a connection, which, and what for."""
    match action:
        case model.Copy():
            if action.source.connection:
                yield ("from", "connection"), action.source.connection, "source"
            if action.destination.connection:
                yield ("to", "connection"), action.destination.connection, "destination"
            if action.quarantine and action.quarantine.connection:
                yield ("quarantine", "connection"), action.quarantine.connection, "destination"
        case model.Sql() | model.Check():
            if action.connection:
                yield ("connection",), action.connection, "sql"
        case model.Download():
            if action.connection:
                yield ("connection",), action.connection, "download"
        case model.Run() | model.Service():
            for i, name in enumerate(action.connections):
                yield ("connections", i), name, "command"
        case model.Trigger():
            return


def _retry(task: SpecTask, defaults: Defaults) -> model.Retry:
    def either(own: float | None, default: float) -> float:
        return default if own is None else own

    return model.Retry(
        retries=int(either(task.retries, defaults.retries)),
        delay=either(task.retry_delay, defaults.retry_delay),
        backoff=either(task.backoff, defaults.backoff),
    )


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

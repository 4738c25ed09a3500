"""The compiler: one pipeline of a project, with its parameters, to a Plan or to every problem in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TypeAlias, TypeVar

from windlass import registry
from windlass.errors import Code, Problem, SpecError, UsageError, did_you_mean
from windlass.plan import model
from windlass.plan.actions import action_of, connection_of, containers_of, unit_of
from windlass.plan.assets import why_no_asset
from windlass.plan.clashes import clash
from windlass.plan.facts import with_facts
from windlass.plan.graph import Cycle, order
from windlass.plan.instances import ENTRY_FILES
from windlass.plan.mapping import with_mapping
from windlass.plan.params import param, with_overrides
from windlass.plan.quarantine import why_not_there
from windlass.plan.roles import Role, misfit
from windlass.plan.schedule import check_schedule, check_timezone
from windlass.spec.commands import Command
from windlass.spec.ends import CopyEnd
from windlass.spec.files import PipelineFile, ProjectFiles
from windlass.spec.kinds import Kind
from windlass.spec.model import Model
from windlass.spec.pipeline import KINDS, Assets, Defaults, Pipeline
from windlass.spec.pipeline import Task as SpecTask
from windlass.spec.project import Project
from windlass.spec.yaml import KeyPath
from windlass.templates import (
    Names,
    TemplateError,
    Uses,
    evaluate,
    is_template,
    names_in,
    tasks_in,
)
from windlass.templates.budget import OF_A_PIPELINE, within_budget

__all__ = ["Scope", "compile", "compile_project"]

M = TypeVar("M", bound=Model)

_CYCLES = 20  # so many are told
_MADE_OF = 100
_PATIENCE = 200_000  # names that are compared to find near ones: a few seconds

_Places: TypeAlias = dict[str, KeyPath]
"""Where in the file a name was met first."""


@dataclass(frozen=True)
class Scope:
    """What a pipeline finds around it in its project. `triggers` maps a pipeline to those it triggers."""

    project: Project
    triggers: Mapping[str, frozenset[str]]
    params: Mapping[str, Mapping[str, model.Param]] = field(default_factory=dict)
    """The parameters of each pipeline, as far as they make sense."""

    is_whole: bool = True
    """Whether all pipelines of the project are known; else nothing can be said of an unknown one."""

    problems: tuple[Problem, ...] = ()
    """What is wrong with the project file."""

    lacks: Callable[..., bool] = lambda *_: False
    """Whether nothing can be said of what stands there in the project file, because that is wrong."""

    assets: frozenset[str] | None = None
    """What the tasks of the project write; None when nobody asks, or it cannot be known."""

    doubtful: frozenset[str] = frozenset()
    """All that stands in tasks that are wrong: it may be what they write."""

    all_at_once: bool = False
    """Whether all pipelines are compiled, so that what concerns several of them is told once."""

    @classmethod
    def of(cls, files: ProjectFiles) -> Scope:
        triggers = {name: _triggered(file) for name, file in files.pipelines.items()}
        found = cls(
            files.spec,
            triggers | dict.fromkeys(files.unread, frozenset()),
            {name: file.spec.params for name, file in files.pipelines.items() if not _is_unsure(file)},
            is_whole=files.is_whole,
            problems=tuple(p for p in files.problems if p.file == files.document.file),
            lacks=files.lacks,
        )
        asked = any(isinstance(file.spec.schedule, Assets) for file in files.pipelines.values())
        return _with_assets(files, found) if asked and not files.unread else found


def compile_project(files: ProjectFiles) -> dict[str, model.Plan]:
    """Compile every pipeline with its default parameters. Raises SpecError with the problems of all."""
    scope = replace(Scope.of(files), all_at_once=True)
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


def _with_assets(files: ProjectFiles, scope: Scope) -> Scope:
    assets, doubtful = set[str](), set[str]()
    for file in files.pipelines.values():
        compiler = _Compiler(file, file.spec.params, scope)
        tasks = with_facts(compiler.ordered(), compiler.named, compiler.params)
        assets.update(outlet for task in tasks for outlet in task.outlets)
        if file.problems or compiler.problems:
            doubtful.update(_texts(file.whole or file.document.value))
    return replace(scope, assets=frozenset(assets), doubtful=frozenset(doubtful))


def _texts(value: object) -> Iterator[str]:
    """All texts in the tasks of a file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            if key != "schedule":  # which asks for assets, and writes none
                yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


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
        values = spec.params
        _Compiler(file, values, scope).plan()  # what is wrong with the file comes first
        raise
    return _Compiler(file, values, scope, params_at_run).plan()


def _is_unsure(file: PipelineFile) -> bool:
    """Whether not all of its parameters are known."""
    return any(path[:1] == ("params",) for path in file.gone)


def _triggered(file: PipelineFile) -> frozenset[str]:
    return frozenset(task.trigger.pipeline for task in file.spec.tasks.values() if task.trigger)


@dataclass
class _Compiler:
    file: PipelineFile
    params: dict[str, model.Param]
    scope: Scope
    params_at_run: bool = False
    problems: dict[Problem, None] = field(default_factory=dict)
    """An ordered set: a default is looked at for each task, and its problem told once."""

    named: dict[str, _Places] = field(default_factory=dict)
    """The tasks that the templates of each task name."""

    connections: dict[str, model.Connection] = field(default_factory=dict)
    pools: dict[str, int] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    compared: int = 0
    """How many names were compared to find near ones."""

    def __post_init__(self) -> None:
        tasks = self.file.spec.tasks
        self.services = frozenset(name for name, task in tasks.items() if task.service)
        self.names = Names(self.params, self.services, frozenset(tasks), self.params_at_run, self._near)
        self.each = {name: task.each for name, task in tasks.items() if task.each}
        """The tasks that are one of each entry which another one writes."""

        self.position = {name: i for i, name in enumerate(tasks)}

    def ordered(self) -> tuple[model.Task, ...]:
        """The tasks that make sense, in their order."""
        with within_budget(OF_A_PIPELINE):
            tasks = {name: self._task(name, task) for name, task in self.file.spec.tasks.items()}
        self._check_paths({name: task.output for name, task in tasks.items() if task})
        for name in self.each:
            self._check_entries(name, tasks)
        ordered = self._in_order({name: task for name, task in tasks.items() if task})
        self._check_depth(ordered)
        return ordered

    def plan(self) -> model.Plan:
        spec = self.file.spec
        schedule, assets = self._when()
        told = [self._told(spec, (), key) for key in ("on_failure", "on_success", "on_recovery", "on_missed")]
        ordered = self.ordered()
        problems = (*self.scope.problems, *self.problems)
        if problems or self.file.problems:
            raise self.file.refused(problems)
        return model.Plan(
            project=self.scope.project.project,
            pipeline=spec.pipeline,
            description=spec.description,
            owner=spec.owner or self.scope.project.owner,
            tags=tuple(spec.tags),
            schedule=schedule,
            assets=assets,
            timezone=spec.timezone,
            start=spec.start,
            catchup=spec.catchup,
            concurrency=spec.concurrency,
            params=self.params,
            params_open=self.params_at_run,
            on_failure=told[0],
            on_success=told[1],
            on_recovery=told[2],
            on_missed=told[3],
            freshness=spec.freshness.within if spec.freshness else None,
            connections=dict(sorted(self.connections.items())),
            pools=dict(sorted(self.pools.items())),
            containers=containers_of(self.scope.project.runtimes.docker),
            tasks=with_facts(ordered, self.named, self.params),
        )

    # --- one task ---

    def _task(self, name: str, task: SpecTask) -> model.Task | None:
        at: KeyPath = ("tasks", name)
        kind = task.kind
        uses = Uses()
        self.named[name] = {}
        each = self._each(name, uses)
        action_spec = self._evaluated(task.action, (*at, kind), uses)
        try:
            action = action_of(action_spec, self._evaluated_files(task, (*at, kind), uses))
        except ValueError as exc:
            self._problem((*at, kind), Code.NAMED_FILE, str(exc))
            return None
        self._check_connections(action, (*at, kind))
        self._check_libraries(action_spec, (*at, kind))
        self._check_runtime(action_spec, (*at, kind, "runtime"))
        self._check_trigger(action, (*at, kind))
        self._check_quarantine(action, (*at, kind, "quarantine"))
        return model.Task(
            name=name,
            description=task.description,
            group=self._group(name, task),
            each=each,
            needs=self._needs(name, task, uses),
            uses=self._uses(name, task, uses),
            trigger_rule=task.trigger_rule,
            retry=_retry(task, self.file.spec.defaults),
            timeout=task.timeout if task.timeout is not None else self.file.spec.defaults.timeout,
            pool=self._pool(name, task),
            connections=tuple(dict.fromkeys(mention.connection for mention in action.mentions())),
            inlets=self._assets(name, "inlets", task.inlets, uses),
            outlets=self._assets(name, "outlets", task.outlets, uses),
            output=action.output() if each is None else None,
            on_failure=self._told(task, at, "on_failure"),
            on_success=self._told(task, at, "on_success"),
            on_recovery=self._told(task, at, "on_recovery"),
            action=with_mapping(action, self.connections) if each is None else action,
            unit=unit_of(action_spec, self.file.spec.pipeline, name, self._runtime(), self.scope.project),
        )

    def _each(self, name: str, uses: Uses) -> model.Each | None:
        """The entries of which a run makes a task each, if there are."""
        spec, at = self.each.get(name), ("tasks", name, "for_each")
        if spec is None or spec.of is None:
            return None
        if spec.of not in self.position or self.file.spec.tasks[spec.of].service:
            is_service = spec.of in self.position
            code = Code.TASK_OR_SERVICE if is_service else Code.UNKNOWN_TASK
            message = (
                f"{spec.of!r} is a service and never ends" if is_service else f"unknown task {spec.of!r}"
            )
            hint = None if is_service else self._near(spec.of, self.position)
            self._problem((*at, "of"), code, message, hint)
            return None
        own, where = f"{{{{ tasks[{spec.of!r}].path }}}}", (*at, "of" if spec.path is None else "path")
        path = str(self._string(own if spec.path is None else spec.path, where, uses))
        limit = model.Each.MOST if spec.limit is None else spec.limit
        return model.Each(of=spec.of, path=path, records=spec.records, name=spec.name, limit=limit)

    def _check_entries(self, name: str, tasks: Mapping[str, model.Task | None]) -> None:
        """Whether there are entries in such a file, and their names are made of them alone."""
        spec, task, at = self.each[name], tasks[name], ("tasks", name, "for_each")
        each = task.each if task is not None else None
        if each is None:
            return
        other = tasks.get(each.of)
        written = each.path if spec.path is not None else (other.output if other is not None else None)
        suffix = PurePosixPath("_" + (written or "").rpartition("}}")[2]).suffix.lower()
        if written and not (written.endswith("}}") or suffix in ENTRY_FILES):
            where = (*at, "path" if spec.path is not None else "of")
            message = f"there are no entries in {written!r}: expected a {', '.join(ENTRY_FILES)} file"
            self._problem(where, Code.WRONG_FORM, message)
        try:
            if each.name is not None and names_in(each.name) != {"each"}:
                message = "the name of an entry is made of the entry, which is `each`, and of nothing else"
                self._problem((*at, "name"), Code.INVALID_TEMPLATE, message)
        except TemplateError as exc:
            self._problem((*at, "name"), exc.code, str(exc), exc.hint)
        unit = task.unit if task is not None else None
        for key, text in (("image", unit.container.image), ("build", unit.build)) if unit is not None else ():
            if "each" in names_in(text or ""):
                message = "the image of a command is there before the entries are"
                self._problem(("tasks", name, "run", key), Code.KEYS_DO_NOT_FIT, message)

    def _told(self, spec: Pipeline | SpecTask, at: KeyPath, key: str) -> tuple[str, ...]:
        """Who is told what becomes of a pipeline or a task."""
        names: list[str] = getattr(spec, key)
        if names and (why := self._why_never_told(spec, at, key)):
            self._problem((*at, key), Code.KEYS_DO_NOT_FIT, *why, at_key=True)
        return tuple(self._connection(name, "alert", (*at, key, i)) for i, name in enumerate(names))

    def _why_never_told(self, spec: Pipeline | SpecTask, at: KeyPath, key: str) -> tuple[str, str] | None:
        """Why nobody would ever be told of that, and what to do."""
        lacks = self.file.lacks
        if key == "on_recovery" and not (spec.on_failure or getattr(spec, "on_missed", [])):
            message = "`on_recovery` says that a failure is over which was told, and nobody is told of one"
            return None if lacks(*at, "on_failure") else (message, "add `on_failure`")
        if key == "on_missed" and isinstance(spec, Pipeline) and spec.freshness is None:
            message = "`on_missed` says that there was no success in time, and nothing says in which"
            return None if lacks("freshness") else (message, "add `freshness`, such as {within: 26h}")
        return None

    def _runtime(self) -> str | None:
        """What executes a command that does not say."""
        return self.file.spec.defaults.runtime or self.scope.project.runtimes.default

    def _group(self, name: str, task: SpecTask) -> str | None:
        for group in _with_outer(task.group):
            known = group.replace(".", "__")  # the name that a scheduler has for it
            other = self.groups.setdefault(known, group)
            if known in self.file.spec.tasks:
                message = f"the group {group!r} has the name of {'a task' if known == group else f'the task {known!r}'}"
                self._problem(("tasks", name, "group"), Code.NAME_TAKEN, message)
            elif other != group:
                message = f"the groups {other!r} and {group!r} would be one in a scheduler"
                self._problem(("tasks", name, "group"), Code.NAME_TAKEN, message)
        return task.group

    def _pool(self, name: str, task: SpecTask) -> str | None:
        if task.service:
            return None
        pool = task.pool or self.file.spec.defaults.pool
        path: KeyPath = ("tasks", name, "pool") if task.pool else ("defaults", "pool")
        pools = self.scope.project.pools
        if pool is not None and self.scope.lacks("pools", pool):
            return pool
        if pool is not None and pool not in pools:
            hint = self._near(pool, pools) or "declare it under `pools` in windlass.yaml"
            self._problem(path, Code.UNKNOWN_POOL, f"unknown pool {pool!r}", hint)
        elif pool is not None:
            self.pools[pool] = pools[pool]
        return pool

    def _assets(self, name: str, key: str, written: list[str], uses: Uses) -> tuple[str, ...]:
        found = []
        for i, text in enumerate(written):
            path = ("tasks", name, key, i)
            asset = str(self._string(text, path, uses))
            if not is_template(asset) and (why := why_no_asset(asset)):
                self._problem(path, Code.WRONG_FORM, f"this cannot be the name of an asset: {why}")
            found.append(asset)
        return tuple(found)

    def _needs(self, name: str, task: SpecTask, uses: Uses) -> tuple[str, ...]:
        tasks = self.file.spec.tasks
        for i, needed in enumerate(task.needs):
            path = ("tasks", name, "needs", i)
            if needed not in tasks:
                hint = self._near(needed, tasks)
                self._problem(path, Code.UNKNOWN_TASK, f"needs unknown task {needed!r}", hint)
            elif tasks[needed].service:
                message = f"{needed!r} is a service and never ends"
                self._problem(path, Code.TASK_OR_SERVICE, message, "name it in `uses`")
        written_by = {str(self.each[name].of)} if name in self.each else set()
        return self._in_place({*task.needs, *(uses.tasks - {name}), *written_by})

    def _uses(self, name: str, task: SpecTask, uses: Uses) -> tuple[str, ...]:
        tasks, services = self.file.spec.tasks, self.services
        for i, used in enumerate(task.uses):
            path = ("tasks", name, "uses", i)
            if used not in tasks:
                hint = self._near(used, services)
                self._problem(path, Code.UNKNOWN_SERVICE, f"uses unknown service {used!r}", hint)
            elif used not in services:
                hint = f"it is a {tasks[used].kind} task; name it in `needs`"
                self._problem(path, Code.TASK_OR_SERVICE, f"uses {used!r}, which is not a service", hint)
        used_services = self._in_place(({*task.uses, *uses.services} & services) - {name})
        if used_services and task.trigger_rule != "all_success":
            message = f"a task that uses a service ({used_services[0]!r}) runs once that is up, and takes no other rule"
            hint = "give the rule to a task without a service, which this one needs"
            self._problem(("tasks", name, "trigger_rule"), Code.KEYS_DO_NOT_FIT, message, hint)
        return used_services

    def _in_place(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that are tasks, in the order of the file."""
        return tuple(sorted((n for n in names if n in self.position), key=self.position.__getitem__))

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
        if not is_template(text):
            return text
        found = Uses()
        try:
            value = evaluate(text, self._names_at(path), found)
        except TemplateError as exc:
            for wrong in () if self._is_doubtful(text) else (exc, *exc.others):
                self._problem(path, wrong.code, str(wrong), wrong.hint)
            return text.replace("{", "")  # nobody shall take it for a template again
        uses.services |= found.services
        uses.tasks |= found.tasks
        for name in found.tasks:
            self.named[str(path[1])].setdefault(name, path)
        keeps_type = len(path) > 3 and path[2:4] == ("trigger", "params")
        if keeps_type or isinstance(value, str):
            return value
        return "" if value is None else str(value)

    def _names_at(self, path: KeyPath) -> Names:
        """The names that a template there may use: what is made of entries takes one, and the path of their file does not."""
        has_entry = path[0] == "tasks" and path[1] in self.each and path[2] != "for_each"
        return replace(self.names, each=True) if has_entry else self.names

    def _is_doubtful(self, text: str) -> bool:
        """Whether a template may only be wrong because a parameter is, whose problem is known."""
        if not self.file.problems or not isinstance(self.file.whole, dict):
            return False
        written = self.file.whole.get("params")
        if not isinstance(written, dict):
            return self.file.lacks("params") and "params" in text
        return any(self.file.lacks("params", name) and name in text for name in written)

    def _evaluated_files(self, task: SpecTask, path: KeyPath, uses: Uses) -> dict[str, str]:
        """The files the task names; SQL files are templates too."""
        if task.sql is None or task.sql.file is None:
            return self.file.included
        text = self._string(self.file.included[task.sql.file], (*path, "file"), uses)
        return {task.sql.file: str(text)}

    # --- names ---

    def _check_paths(self, outputs: Mapping[str, str | None]) -> None:
        """`tasks.NAME.path` is of a task that writes a file, and no file's path is made of itself."""
        for name, places in self.named.items():
            for other, path in places.items():
                is_known = not any(self.file.lacks("tasks", other, kind) for kind in KINDS)
                if other in outputs and outputs[other] is None and is_known:
                    is_entry_file = path[2] == "for_each"
                    hint = "say in `path` which file it writes them to" if is_entry_file else None
                    self._problem(path, Code.TASK_WITHOUT_FILE, self._why_no_path(other), hint)
            if name in tasks_in(outputs.get(name) or ""):
                self._problem(places[name], Code.CYCLE, f"the path of {name!r} is made of itself")

    def _why_no_path(self, name: str) -> str:
        if name in self.each:
            return f"{name!r} is a task of each entry, and each of them writes a file of its own"
        return f"{name!r} is a {self.file.spec.tasks[name].kind} task and writes no file that has a path"

    def _check_depth(self, ordered: Iterable[model.Task]) -> None:
        """A path is made of a few others: each task takes all of them along."""
        made_of: dict[str, frozenset[str]] = {}
        for task in ordered:
            named = tasks_in(task.output or "")
            made_of[task.name] = named.union(*(made_of.get(name, frozenset()) for name in named))
            if len(made_of[task.name]) > _MADE_OF:
                message = f"the path of {task.name!r} is made of those of more than {_MADE_OF} other tasks"
                self._problem(self.named[task.name][min(named)], Code.INVALID_TEMPLATE, message)
                made_of[task.name] = frozenset()

    def _connection(self, name: str, role: Role, path: KeyPath) -> str:
        declared = self.scope.project.connections
        if self.scope.lacks("connections", name):
            return name
        if name not in declared:
            hint = self._near(name, declared) or "declare it under `connections` in windlass.yaml"
            self._problem(path, Code.UNKNOWN_CONNECTION, f"unknown connection {name!r}", hint)
            return name
        kind = declared[name].type
        self.connections[name] = connection_of(declared[name])
        if (wrong := misfit(kind, role)) is not None:
            self._problem(path, Code.CONNECTION_OF_OTHER_TYPE, f"connection {name!r} {wrong[0]}", wrong[1])
        return name

    def _check_connections(self, action: model.Action, path: KeyPath) -> None:
        for name, role, at in action.mentions():
            self._connection(name, role, (*path, *at))
        source = action.source if isinstance(action, model.Copy | model.Subject) else None
        for at, end in source.with_inner() if source is not None else ():
            if (wrong := clash(end, self.connections)) is not None:
                self._problem(
                    (*path, "from", *at, wrong.key), Code.KEYS_DO_NOT_FIT, wrong.message, wrong.hint
                )

    def _check_libraries(self, action: object, path: KeyPath) -> None:
        declared = self.scope.project.libraries
        for i, name in enumerate(action.libraries if isinstance(action, Command) else ()):
            if name not in declared and not self.scope.lacks("libraries", name):
                hint = self._near(name, declared) or "declare it under `libraries` in windlass.yaml"
                at = (*path, "libraries", i)
                self._problem(at, Code.UNKNOWN_LIBRARY, f"unknown library {name!r}", hint)

    def _check_runtime(self, action: Kind, path: KeyPath) -> None:
        """What a template gave: any other name was looked at when the file was read."""
        name = action.runtime if isinstance(action, Command) else None
        if name is not None and not is_template(name) and not registry.RUNTIMES.has(name):
            hint = self._near(name, registry.RUNTIMES.names())
            self._problem(path, Code.UNKNOWN_WORD, f"there is no runtime {name!r}", hint)

    def _check_trigger(self, action: model.Action, path: KeyPath) -> None:
        if not isinstance(action, model.Trigger):
            return
        triggers = self.scope.triggers
        if action.pipeline not in triggers:
            if not self.scope.is_whole:
                return
            hint = self._near(action.pipeline, triggers)
            message = f"unknown pipeline {action.pipeline!r}"
            self._problem((*path, "pipeline"), Code.UNKNOWN_PIPELINE, message, hint)
            return
        here = self.file.spec.pipeline
        chain = _chain(triggers, action.pipeline, here)
        if chain and (here == min(chain) or not self.scope.all_at_once):
            message = f"triggers itself: {' → '.join((here, *chain))}"
            self._problem((*path, "pipeline"), Code.TRIGGER_CYCLE, message)
        if action.pipeline in self.scope.params:
            self._check_given(action, self.scope.params[action.pipeline], (*path, "params"))

    def _check_quarantine(self, action: model.Action, path: KeyPath) -> None:
        if not isinstance(action, model.Copy) or action.quarantine is None:
            return
        to, name = action.quarantine, action.destination.connection
        form = self.connections[name].form if name in self.connections else ""
        if wrong := why_not_there(action, same_database=to.connection == name, form=form):
            message = f"the rows in quarantine cannot go there: {wrong}"
            self._problem(path, Code.KEYS_DO_NOT_FIT, message, "name another connection, or a `path`")

    def _check_given(
        self, trigger: model.Trigger, declared: Mapping[str, model.Param], path: KeyPath
    ) -> None:
        """Whether the other pipeline has these parameters, and takes these values."""
        whose = f"pipeline {trigger.pipeline!r}"
        for name, value in trigger.params.items():
            if name not in declared:
                hint = self._near(name, declared)
                message = f"{whose} has no parameter {name!r}"
                self._problem((*path, name), Code.UNKNOWN_PARAMETER, message, hint, at_key=True)
            elif not (isinstance(value, str) and is_template(value)):
                try:
                    param(name, declared[name], value)
                except UsageError as exc:
                    self._problem((*path, name), Code.PARAMETER_OF_OTHER_TYPE, f"{whose}, {exc}")

    # --- the whole ---

    def _in_order(self, tasks: dict[str, model.Task]) -> tuple[model.Task, ...]:
        needs = {n: [b for b in (*t.needs, *t.uses) if b in tasks] for n, t in tasks.items()}
        for _ in range(_CYCLES):
            try:
                return tuple(tasks[name] for name in order(needs))
            except Cycle as exc:
                self._tell_of_cycle(exc)
                needs[exc.path[0]].remove(exc.path[1])  # there may be others
        return ()

    def _tell_of_cycle(self, cycle: Cycle) -> None:
        name, needed = cycle.path[0], cycle.path[1]
        written = self.file.spec.tasks[name].needs
        path: KeyPath = ("tasks", name)
        if needed in written:
            path = (*path, "needs", written.index(needed))
        self._problem(path, Code.CYCLE, f"the tasks need each other in a cycle: {cycle}")

    def _when(self) -> tuple[str, tuple[str, ...]]:
        """The schedule by time, and the one by data."""
        written = self.file.spec.schedule
        schedule = written if isinstance(written, str) else "none"
        assets = () if isinstance(written, str) else tuple(written.assets)
        if wrong := check_schedule(schedule):
            self._problem(("schedule",), Code.INVALID_SCHEDULE, *wrong)
        if wrong := check_timezone(self.file.spec.timezone):
            self._problem(("timezone",), Code.UNKNOWN_TIMEZONE, *wrong)
        if self.file.spec.catchup and self.file.spec.start is None and not self.file.lacks("start"):
            message = "`catchup` makes up for what was missed since `start`, which is not there"
            self._problem(("catchup",), Code.CATCHUP_WITHOUT_START, message, "say with `start` since when")
        known = self.scope.assets
        for i, name in enumerate(assets):
            doubtful = {name, name.partition(".")[2]} & self.scope.doubtful
            if known is not None and name not in known and not doubtful:
                hint = self._near(name, known)
                message = f"no task of the project writes {name!r}"
                self._problem(("schedule", "assets", i), Code.UNKNOWN_ASSET, message, hint)
        return schedule, assets

    def _problem(
        self, path: KeyPath, code: Code, message: str, hint: str | None = None, *, at_key: bool = False
    ) -> None:
        if self.file.lacks(*path):  # it is only a stand-in, and the problem with what stood there is known
            return
        self.problems[self.file.document.problem(path, code, message, hint=hint, at_key=at_key)] = None

    def _near(self, word: str, known: Collection[str]) -> str | None:
        """What may have been meant. Of thousands of names that is not looked for again and again."""
        self.compared += len(known)
        return did_you_mean(word, known) if self.compared <= _PATIENCE else None


def _retry(task: SpecTask, defaults: Defaults) -> model.Retry:
    def either(own: float | None, default: float) -> float:
        return default if own is None else own

    return model.Retry(
        retries=int(either(task.retries, defaults.retries)),
        delay=either(task.retry_delay, defaults.retry_delay),
        backoff=either(task.backoff, defaults.backoff),
    )


def _with_outer(group: str | None) -> list[str]:
    """A group and those that it is in, the outermost first."""
    names = group.split(".") if group else []
    return [".".join(names[: i + 1]) for i in range(len(names))]


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

"""One task: its defaults, what it does, and what it needs of the others."""

from __future__ import annotations

from windlass.errors import Code
from windlass.plan import model
from windlass.plan.actions import action_of, unit_of
from windlass.plan.assets import why_no_asset
from windlass.plan.compiler.alerts import told_by
from windlass.plan.compiler.draft import Draft
from windlass.plan.compiler.entries import each_of
from windlass.plan.compiler.triggers import check_trigger
from windlass.plan.mapping import with_mapping
from windlass.spec.pipeline import Defaults
from windlass.spec.pipeline import Task as SpecTask
from windlass.spec.yaml import KeyPath
from windlass.templates import Uses, is_template

__all__ = ["task_of"]


def task_of(name: str, spec: SpecTask, groups: dict[str, str], draft: Draft) -> model.Task | None:
    """The task of that name; None for one whose files cannot be what they are named for.

    `groups` are those of all tasks so far, by the name that a scheduler has for them.
    """
    at: KeyPath = ("tasks", name)
    uses, defaults = Uses(), draft.spec.defaults
    draft.filling.named[name] = {}
    each = each_of(name, uses, draft)
    filled = draft.filling.mapping(spec.action, (*at, spec.kind), uses)
    try:
        action = action_of(filled, draft.filling.files(spec, (*at, spec.kind), uses))
    except ValueError as exc:
        draft.notes.problem((*at, spec.kind), Code.NAMED_FILE, str(exc))
        return None
    draft.references.check(filled, action, (*at, spec.kind))
    if isinstance(action, model.Trigger):
        check_trigger(action, (*at, spec.kind), draft)
    runtime = defaults.runtime or draft.around.project.runtimes.default
    return model.Task(
        name=name,
        description=spec.description,
        group=_group(name, spec, groups, draft),
        each=each,
        needs=_needs(name, spec, uses, draft),
        uses=_uses(name, spec, uses, draft),
        trigger_rule=spec.trigger_rule,
        retry=_retry(spec, defaults),
        timeout=spec.timeout if spec.timeout is not None else defaults.timeout,
        pool=_pool(name, spec, draft),
        connections=tuple(dict.fromkeys(mention.connection for mention in action.mentions())),
        inlets=_assets((*at, "inlets"), spec.inlets, uses, draft),
        outlets=_assets((*at, "outlets"), spec.outlets, uses, draft),
        output=action.output() if each is None else None,
        on_failure=told_by("on_failure", spec, at, draft),
        on_success=told_by("on_success", spec, at, draft),
        on_recovery=told_by("on_recovery", spec, at, draft),
        action=with_mapping(action, draft.references.connections) if each is None else action,
        unit=unit_of(filled, draft.spec.pipeline, name, runtime, draft.around.project),
    )


def _group(name: str, spec: SpecTask, groups: dict[str, str], draft: Draft) -> str | None:
    path = ("tasks", name, "group")
    for group in _with_outer(spec.group):
        known = group.replace(".", "__")  # the name that a scheduler has for it
        other = groups.setdefault(known, group)
        if known in draft.spec.tasks:
            whose = "a task" if known == group else f"the task {known!r}"
            draft.notes.problem(path, Code.NAME_TAKEN, f"the group {group!r} has the name of {whose}")
        elif other != group:
            message = f"the groups {other!r} and {group!r} would be one in a scheduler"
            draft.notes.problem(path, Code.NAME_TAKEN, message)
    return spec.group


def _with_outer(group: str | None) -> list[str]:
    """A group and those that it is in, the outermost first."""
    names = group.split(".") if group else []
    return [".".join(names[: i + 1]) for i in range(len(names))]


def _pool(name: str, spec: SpecTask, draft: Draft) -> str | None:
    pool = spec.pool or draft.spec.defaults.pool
    if spec.service or pool is None:
        return None
    path: KeyPath = ("tasks", name, "pool") if spec.pool else ("defaults", "pool")
    return draft.references.pool(pool, path)


def _retry(spec: SpecTask, defaults: Defaults) -> model.Retry:
    def either(own: float | None, default: float) -> float:
        return default if own is None else own

    return model.Retry(
        retries=int(either(spec.retries, defaults.retries)),
        delay=either(spec.retry_delay, defaults.retry_delay),
        backoff=either(spec.backoff, defaults.backoff),
    )


def _assets(path: KeyPath, written: list[str], uses: Uses, draft: Draft) -> tuple[str, ...]:
    found = []
    for i, text in enumerate(written):
        asset = str(draft.filling.string(text, (*path, i), uses))
        if not is_template(asset) and (why := why_no_asset(asset)):
            message = f"this cannot be the name of an asset: {why}"
            draft.notes.problem((*path, i), Code.WRONG_FORM, message)
        found.append(asset)
    return tuple(found)


def _needs(name: str, spec: SpecTask, uses: Uses, draft: Draft) -> tuple[str, ...]:
    """The tasks that it comes after: those it says, those its templates name, and the one that writes its entries."""
    tasks = draft.spec.tasks
    for i, needed in enumerate(spec.needs):
        path = ("tasks", name, "needs", i)
        if needed not in tasks:
            hint = draft.notes.near(needed, tasks)
            draft.notes.problem(path, Code.UNKNOWN_TASK, f"needs unknown task {needed!r}", hint)
        elif tasks[needed].service:
            message = f"{needed!r} is a service and never ends"
            draft.notes.problem(path, Code.TASK_OR_SERVICE, message, "name it in `uses`")
    written_by = {str(draft.each[name].of)} if name in draft.each else set()
    return draft.in_place({*spec.needs, *(uses.tasks - {name}), *written_by})


def _uses(name: str, spec: SpecTask, uses: Uses, draft: Draft) -> tuple[str, ...]:
    """The services that it finds running: those it says, and those its templates name."""
    tasks, services = draft.spec.tasks, draft.services
    for i, used in enumerate(spec.uses):
        path = ("tasks", name, "uses", i)
        if used not in tasks:
            hint = draft.notes.near(used, services)
            draft.notes.problem(path, Code.UNKNOWN_SERVICE, f"uses unknown service {used!r}", hint)
        elif used not in services:
            hint = f"it is a {tasks[used].kind} task; name it in `needs`"
            message = f"uses {used!r}, which is not a service"
            draft.notes.problem(path, Code.TASK_OR_SERVICE, message, hint)
    used_services = draft.in_place(({*spec.uses, *uses.services} & services) - {name})
    if used_services and spec.trigger_rule != "all_success":
        message = (
            f"a task that uses a service ({used_services[0]!r}) runs once that is up, and takes no other rule"
        )
        hint = "give the rule to a task without a service, which this one needs"
        draft.notes.problem(("tasks", name, "trigger_rule"), Code.KEYS_DO_NOT_FIT, message, hint)
    return used_services

"""Renders a project as what starts its pipelines on one machine: a crontab, or services and timers of systemd."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from msgspec import Struct

from windlass.errors import Problem
from windlass.plan.model import Plan
from windlass.targets import CompiledProject, Needs
from windlass.targets.choosing import chosen_of, only, reached_by
from windlass.targets.clocks import check_clock
from windlass.targets.cron.crontab import crontab
from windlass.targets.cron.fields import fields_of
from windlass.targets.cron.starting import Starting
from windlass.targets.cron.systemd import follows_utc, service, timer, unit_name
from windlass.targets.refusing import Refusals

__all__ = ["TARGET", "CronOptions", "CronTarget"]

_CRONTAB = "# The pipelines of {project}, by windlass export cron: edit the project, and export again.\n"
_ONCE = ("none", "@once")


class CronOptions(Struct, frozen=True, kw_only=True):
    """How a project is started on one machine."""

    scheduler: Literal["cron", "cronie", "systemd"] = "cron"
    """What starts the pipelines: cron, cronie, which knows time zones, or timers of systemd, which know them, too."""

    timezone: str = "UTC"
    """The time zone that the cron of the machine goes by."""

    project_path: str | None = None
    """Where the project's folder is on that machine. Default: where it is here."""

    command: str = "windlass"
    """What starts windlass there."""

    user: str | None = None
    """Who runs it. With cron, the file is then one for /etc/cron.d."""

    pipelines: str | None = None
    """Only these pipelines, with commas between them. Default: all."""


class CronTarget:
    """Write what starts the pipelines of the project on one machine: a crontab, or timers of systemd.

    All files are below cron/ or systemd/. The machine needs windlass and the project.
    """

    title = "The machine"
    options = CronOptions

    def check(self, project: CompiledProject, options: CronOptions) -> list[Problem]:
        """What the scheduler cannot express."""
        return _refusals(project, options).problems

    def render(self, project: CompiledProject, options: CronOptions) -> dict[str, str]:
        """The files. Raises SpecError for what the scheduler cannot express."""
        _refusals(project, options).tell()
        chosen = only(project, chosen_of(project, options.pipelines)).plans.values()
        folder = options.project_path or str(project.root.resolve())
        ones = [_starting(plan, options, folder) for plan in chosen if plan.schedule not in _ONCE]
        if options.scheduler == "systemd":
            return _units(ones, options, f"/etc/windlass/{project.files.spec.project}.env")
        by_hand = _by_hand(chosen, options)
        needs = _needs(self.needs(project, options))
        heading = f"{_CRONTAB.format(project=project.files.spec.project)}{needs}{by_hand}\n"
        return {"cron/crontab": crontab(heading, ones, options.timezone, options.user)}

    def is_left(self, project: CompiledProject, path: str, text: str) -> bool:
        """A unit of a pipeline without a schedule is, too."""
        name = project.files.spec.project
        known = {
            _heading(plan.pipeline, name) for plan in project.plans.values() if plan.schedule not in _ONCE
        }
        heading = text.partition("\n")[0]
        return heading.endswith(_heading("", name).removeprefix("# ")) and heading not in known

    def needs(self, project: CompiledProject, options: CronOptions) -> Needs:
        """The connections of the chosen pipelines, and of those that they start. Each run sees to the pools itself."""
        chosen = chosen_of(project, options.pipelines)
        found = Needs.of(reached_by(project, chosen).values())
        return replace(found, pipelines=tuple(sorted(chosen)), pools={})


def _refusals(project: CompiledProject, options: CronOptions) -> Refusals:
    refusals = Refusals("systemd" if options.scheduler == "systemd" else "cron", project.files)
    for name in chosen_of(project, options.pipelines):
        _check(project.plans[name], options, refusals)
    return refusals


def _check(plan: Plan, options: CronOptions, refusals: Refusals) -> None:
    """Note what a pipeline says that cannot be expressed."""
    name, scheduler = plan.pipeline, options.scheduler
    if plan.assets:
        hint = "give it a schedule, or let a task `trigger` it"
        refusals.add(name, ("schedule",), "does not know when data have changed", hint)
    if plan.catchup:
        hint = "leave out `catchup`, and make up for the past with: windlass backfill"
        refusals.add(name, ("catchup",), "does not make up for all runs since `start`", hint)
    if plan.schedule in _ONCE:
        return
    fields = fields_of(plan.schedule)
    if fields is None:
        hint = "name days by their numbers, or by the days of the week"
        refusals.add(name, ("schedule",), "does not know the last day, or the nth weekday, of a month", hint)
    else:
        # an hour that the clock shows twice is one to systemd
        hourly = scheduler == "systemd" and not follows_utc(fields, plan.timezone)
        check_clock(plan, refusals, hourly=hourly)
    if scheduler == "cron" and plan.timezone != options.timezone:
        hint = (
            f"--timezone, if that of the machine is another than {options.timezone}; or --scheduler systemd"
        )
        refusals.add(name, ("timezone",), f"has one time zone for all, and that is not {plan.timezone}", hint)
    if scheduler == "systemd" and plan.concurrency == "allow":
        hint = "use --scheduler cron, or leave out `concurrency`"
        refusals.add(name, ("concurrency",), "starts no second run beside the first", hint)


def _starting(plan: Plan, options: CronOptions, folder: str) -> Starting:
    fields = fields_of(plan.schedule)
    assert fields is not None  # checked
    command = (*shlex.split(options.command), "run", plan.pipeline, "--fired-at", "now", "--no-dev")
    return Starting(
        plan.project,
        plan.pipeline,
        plan.description,
        fields,
        plan.timezone,
        folder,
        command,
        alone=plan.concurrency != "allow",
    )


def _units(ones: Iterable[Starting], options: CronOptions, environment_file: str) -> dict[str, str]:
    texts = {}
    for one in ones:
        heading = f"{_heading(one.pipeline, one.project)}\n\n"
        texts[f"systemd/{unit_name(one)}.service"] = service(heading, one, options.user, environment_file)
        texts[f"systemd/{unit_name(one)}.timer"] = timer(heading, one)
    return texts


def _heading(pipeline: str, project: str) -> str:
    """The first line of a unit."""
    return f"# {pipeline} of {project}, by windlass export cron: edit the project, and export again."


def _needs(needs: Needs) -> str:
    """The connections, which `.env` of the project says, or the environment of whoever runs cron."""
    lines = "".join(f"#   {name} ({kind})\n" for name, kind in needs.connections.items())
    return f"# Connections, in .env of the project (windlass connections):\n{lines}" if lines else ""


def _by_hand(plans: Iterable[Plan], options: CronOptions) -> str:
    """Pipelines without a schedule are not left out in silence."""
    lines = "".join(
        f"#   {options.command} run {plan.pipeline}\n" for plan in plans if plan.schedule in _ONCE
    )
    return f"# Without a schedule, so started by hand:\n{lines}" if lines else ""


TARGET = CronTarget()

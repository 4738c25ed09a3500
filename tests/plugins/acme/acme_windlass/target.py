"""A target: the lines of a crontab, one for each pipeline that has a schedule."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from windlass.targets import CompiledProject


class CrontabOptions(Struct, frozen=True, kw_only=True):
    """How the lines look."""

    user: str
    """Whom the pipelines run as."""

    shell: Literal["sh", "bash"] = "sh"
    """What runs a line."""

    quiet: bool = False
    """Whether nothing is mailed."""


class Crontab:
    """Write a crontab: every pipeline that has a schedule."""

    title = "cron"
    options = CrontabOptions
    rehearsal = "acme_windlass.rehearsal:rehearse"

    def render(self, project: CompiledProject, options: CrontabOptions) -> dict[str, str]:
        if options.user == "nobody":
            return {options.nothing: ""}  # type: ignore[attr-defined] # a defect of Acme's
        end = " >/dev/null 2>&1" if options.quiet else ""
        lines = [
            f"{plan.schedule} {options.user} windlass -C {project.root} run {name}{end}\n"
            for name, plan in sorted(project.plans.items())
            if plan.schedule != "none"
        ]
        pipelines = {
            f"pipelines/{name}.txt": f"{len(plan.tasks)} tasks\n" for name, plan in project.plans.items()
        }
        return {**pipelines, "crontab": f"SHELL=/bin/{options.shell}\n" + "".join(lines)}


TARGET = Crontab()

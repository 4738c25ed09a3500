"""Commands of the user's as shell scripts, their templates filled in: for schedulers whose containers know no date.

A script starts the command in place of itself, with what every unit finds in its environment. No secret is in it: those
are in the environment of the container that it runs in.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from windlass.plan.model import Plan, RunCommand, Service, Task
from windlass.tasks.command import run_environment
from windlass.tasks.executing import context_of

__all__ = ["write_scripts"]


def write_scripts(plan: Plan, project: Path, folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """Write `TASK.sh` for every command of the plan. Arguments of a script come in front of those of the command."""
    written = []
    for task in plan.tasks:
        if isinstance(task.action, RunCommand | Service) and task.unit is not None and task.unit.command:
            file = folder / f"{task.name}.sh"
            file.write_text(_script(plan, task, project, environ), encoding="utf-8")
            written.append(file)
    return written


def _script(plan: Plan, task: Task, project: Path, environ: Mapping[str, str]) -> str:
    assert task.unit is not None
    context = context_of(plan, task.name, project, environ)
    unit = context.rendered(task.unit)
    services = {name: context.variables["services"][name] for name in task.uses}  # type: ignore[index]
    around = run_environment(
        run_id=context.run_id, run_key=context.run_key, dates=context.dates, services=services
    )
    around["WINDLASS_PARAMS"] = json.dumps(plan.params)
    return "\n".join([*_exports({**around, **unit.env}), f'exec "$@" {shlex.join(unit.command)}', ""])


def _exports(values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        yield f"export {name}={shlex.quote(value)}"

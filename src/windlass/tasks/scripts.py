"""Commands of the user's as shell scripts, their templates filled in: for schedulers whose containers know no date.

A script runs the command with what every unit finds in its environment. No secret is in it: those are in the environment of
the container that it runs in. It waits for the command, and hands on to it that it shall end: the first process of a container
ends at no signal that it does not care for, so a command is never the first.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from windlass.files import write_file
from windlass.plan.model import Plan, RunCommand, Service, Task
from windlass.tasks.command import run_environment
from windlass.tasks.executing import context_of, for_entry

__all__ = ["write_scripts"]

_COMMAND = """\
child= asked=
trap 'asked=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT
"$@" {command} &
child=$!
[ -z "$asked" ] || kill -TERM "$child" 2>/dev/null
code=0
wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do
    code=0
    wait "$child" || code=$?
done
exit "$code"
"""


def write_scripts(
    plan: Plan, project: Path, folder: Path, environ: Mapping[str, str], only: Collection[str] = ()
) -> list[Path]:
    """Write `TASK.sh` for every command of the plan, or of these tasks. Arguments of a script come in front of those of the
    command.
    """
    written = []
    for task in plan.tasks:
        if only and task.name not in only:
            continue
        if isinstance(task.action, RunCommand | Service) and task.unit is not None and task.unit.command:
            file = folder / f"{task.name}.sh"
            write_file(file, _script(plan, task, project, environ))
            written.append(file)
    return written


def _script(plan: Plan, task: Task, project: Path, environ: Mapping[str, str]) -> str:
    plan, name = for_entry(plan, task.name, None, environ)
    task = plan.task(name)
    assert task.unit is not None
    context = context_of(plan, task.name, project, environ)
    unit = context.rendered(task.unit)
    services = {name: context.variables["services"][name] for name in task.uses}  # type: ignore[index]
    around = run_environment(
        run_id=context.run_id, run_key=context.run_key, dates=context.dates, services=services
    )
    around["WINDLASS_PARAMS"] = json.dumps(plan.params)
    return "\n".join([*_exports({**around, **unit.env}), _COMMAND.format(command=shlex.join(unit.command))])


def _exports(values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        yield f"export {name}={shlex.quote(value)}"

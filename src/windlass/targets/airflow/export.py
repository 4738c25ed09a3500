"""Writes what an Airflow needs to have the pipelines of a project as DAGs.

The loader (`windlass_dags.py`) is the same for every project; what differs is in `plan.json` beside it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from windlass.plan.bundle import bundle_to_json
from windlass.plan.compiler import Environment, compile, compile_project
from windlass.plan.model import Plan
from windlass.spec import ProjectFiles, load_project

__all__ = ["LOADER", "PLAN", "export"]

LOADER, PLAN = "windlass_dags.py", "plan.json"
_FILLED_IN = ("run", "service", "trigger")


def export(
    project: Path,
    out: Path,
    runtime: str = "process",
    *,
    command: Sequence[str] = ("windlass",),
    project_path: str | None = None,
) -> list[Path]:
    """Write `dags/windlass_dags.py` and `dags/plan.json` below `out`. Returns what was written.

    `command` starts windlass on a worker, and `project_path` is where the project's folder is there: one
    that is not absolute begins at the folder of the loader. Raises SpecError with every problem of the
    project, and then nothing is written.
    """
    files = load_project(project, partly=True)
    plans = _with_params_left_open(compile_project(files), files)
    how = {
        "kind": runtime,
        "command": list(command),
        "project": project_path or str(project.resolve()),
        "workspace": None,
    }
    folder = out / "dags"
    folder.mkdir(parents=True, exist_ok=True)
    # the plan last: a loader that finds an older plan beside it still understands that
    _write(folder / LOADER, Path(__file__).with_name(LOADER).read_text(encoding="utf-8"))
    _write(folder / PLAN, bundle_to_json(files.spec.project, plans, how))
    return [folder / LOADER, folder / PLAN]


def _with_params_left_open(plans: Mapping[str, Plan], files: ProjectFiles) -> dict[str, Plan]:
    """The plans, with the templates of parameters where Airflow itself starts what the task says.

    Only when a run begins does Airflow know its parameters. `windlass exec` can compile a pipeline again
    with them; a command in a container of its own, and a trigger, must be filled in by the loader.
    """
    environment = Environment.of(files)
    opened = {}
    for name, plan in plans.items():
        left_open = compile(files.pipelines[name], {}, environment, params_at_run=True)
        tasks = (
            replace(task, action=left_open.task(task.name).action) if task.kind in _FILLED_IN else task
            for task in plan.tasks
        )
        opened[name] = replace(plan, tasks=tuple(tasks))
    return opened


def _write(file: Path, text: str) -> None:
    """Write all of it or nothing: Airflow may read the file at any time."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)

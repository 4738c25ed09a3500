"""Writes what an Airflow needs to have the pipelines of a project as DAGs.

The loader (`windlass_dags.py`) is the same for every project; what differs is in `plan.json` beside it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from windlass.plan.bundle import bundle_to_json
from windlass.plan.compiler import Environment, compile, compile_project
from windlass.plan.model import Plan
from windlass.spec import ProjectFiles, load_project
from windlass.targets.airflow.runtimes import runtime_of

__all__ = ["LOADER", "PLAN", "export", "needs_of"]

LOADER, PLAN = "windlass_dags.py", "plan.json"
_SOURCE, _PACKAGE = Path(__file__).parent / "loader", "windlass_airflow"
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
    files = load_project(project)
    plans = _with_params_left_open(compile_project(files), files)
    folder_there = project_path or str(project.resolve())
    how = runtime_of(runtime, files.spec, plans.values(), command, folder_there)
    folder = out / "dags"
    (folder / _PACKAGE).mkdir(parents=True, exist_ok=True)
    texts = {name: (_SOURCE / name).read_text(encoding="utf-8") for name in _modules()}
    # the loader and the plan last: Airflow looks at them as soon as they change
    texts |= {LOADER: texts.pop(LOADER), PLAN: bundle_to_json(files.spec.project, plans, how)}
    for name, text in texts.items():
        _write(folder / name, text)
    return [folder / name for name in texts]


def needs_of(bundle: str | bytes) -> dict[str, Any]:
    """What an Airflow must have for the DAGs of a bundle: connections with their types, pools with their slots."""
    document = json.loads(bundle)
    plans = document["pipelines"]
    connections = {name: c["type"] for plan in plans.values() for name, c in plan["connections"].items()}
    return {
        "pipelines": list(plans),
        "connections": dict(sorted(connections.items())),
        "pools": document["pools"],
    }


def _modules() -> list[str]:
    """The loader's own files; in its package lies a file that keeps Airflow from looking for DAGs there."""
    package = sorted(path.name for path in (_SOURCE / _PACKAGE).iterdir() if path.is_file())
    return [*(f"{_PACKAGE}/{name}" for name in package), LOADER]


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
            replace(task, action=same.action, unit=same.unit, paths=same.paths)
            if task.kind in _FILLED_IN
            else task
            for task, same in zip(plan.tasks, left_open.tasks, strict=True)
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

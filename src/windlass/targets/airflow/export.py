"""Writes what an Airflow needs to have the pipelines of a project as DAGs.

The loader (`windlass_dags.py`) is the same for every project; what differs is in `plan.json` beside it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from windlass.plan.bundle import bundle_to_json
from windlass.plan.compiler import compile_project
from windlass.spec import load_project

__all__ = ["LOADER", "PLAN", "export"]

LOADER, PLAN = "windlass_dags.py", "plan.json"


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
    plans = compile_project(files)
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

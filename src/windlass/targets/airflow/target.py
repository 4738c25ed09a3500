"""Renders what an Airflow needs to have the pipelines of a project as DAGs.

The loader (`windlass_dags.py`) is the same for every project; what differs is in `plan.json` beside it.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

from msgspec import Struct

from windlass.plan.bundle import bundle_to_json
from windlass.plan.travel import with_digests
from windlass.spec.files import PipelineFile
from windlass.targets import CompiledProject, Needs
from windlass.targets.airflow.containers import runtime_of
from windlass.targets.airflow.telling import with_telling
from windlass.targets.choosing import chosen_of, only, reached_by
from windlass.targets.images import with_images

__all__ = ["LOADER", "TARGET", "AirflowOptions", "AirflowTarget"]

LOADER = "dags/windlass_dags.py"
_PLAN = "dags/plan.json"
_SOURCE = Path(__file__).parent / "loader"
_PACKAGE = "windlass_airflow"


class AirflowOptions(Struct, frozen=True, kw_only=True):
    """How a project becomes DAGs."""

    runtime: Literal["process", "docker", "kubernetes"] = "process"
    """What executes a task: a process on the worker, a container, a pod."""

    project_path: str | None = None
    """Where the project's folder is on the workers; a relative path begins at the loader. Default: where it is here."""

    command: str = "windlass"
    """What starts windlass on a worker, where tasks are processes."""

    pipelines: str | None = None
    """Only these pipelines, with commas between them, and those that they trigger. Default: all."""


class AirflowTarget:
    """Write a loader and a plan: every pipeline of the project as an Airflow DAG.

    Airflow's machines need no windlass to show the DAGs. Where tasks are processes, the workers need it.
    """

    title = "Airflow"
    options = AirflowOptions

    def render(self, project: CompiledProject, options: AirflowOptions) -> dict[str, str]:
        """The loader and `plan.json`, which come last: Airflow looks at them as soon as they change."""
        project = _chosen(project, options)
        spec = project.files.spec
        has_image = spec.images is not None and spec.images.of_project is not None
        told = {n: with_telling(plan, has_image=has_image) for n, plan in project.open_plans.items()}
        plans = {name: with_digests(plan) for name, plan in told.items()}
        if options.runtime != "process":
            plans = with_images(plans, project.files, getattr(spec.runtimes, options.runtime).tag)
        runtime = runtime_of(
            options.runtime,
            spec,
            plans.values(),
            {name: project.files.pipelines[name].spec for name in plans},
            command=shlex.split(options.command),
            folder=options.project_path or str(project.root.resolve()),
        )
        loader = {path: (_SOURCE / name).read_text(encoding="utf-8") for path, name in _loader().items()}
        sources = {name: _source(project.files.pipelines[name]) for name in plans}
        return {**loader, _PLAN: bundle_to_json(spec.project, plans, runtime, sources)}

    def needs(self, project: CompiledProject, options: AirflowOptions) -> Needs:
        """The connections and pools of what is exported."""
        return Needs.of(_chosen(project, options).plans.values())


def _chosen(project: CompiledProject, options: AirflowOptions) -> CompiledProject:
    """What is triggered has to be a DAG, too."""
    return only(project, reached_by(project, chosen_of(project, options.pipelines)))


def _source(file: PipelineFile) -> dict[str, str]:
    """The file as it was written. It holds no secret: such a file is refused."""
    return {"file": file.document.file, "text": file.document.text}


def _loader() -> dict[str, str]:
    """The loader's own files; in its package lies a file that keeps Airflow from looking for DAGs there."""
    package = sorted(path.name for path in (_SOURCE / _PACKAGE).iterdir() if path.is_file())
    names = [*(f"{_PACKAGE}/{name}" for name in package), "windlass_dags.py"]
    return {f"dags/{name}": name for name in names}


TARGET = AirflowTarget()

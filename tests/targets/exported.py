"""An export to Airflow, as the tests of several folders call for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from windlass.targets.airflow.target import TARGET, AirflowOptions
from windlass.targets.exporting import export

__all__ = ["export_to_airflow"]


def export_to_airflow(project: Path, out: Path, runtime: Any = "process", **options: Any) -> list[Path]:
    """The files that were written: those of the loader, then the plan."""
    return list(map(Path, export(TARGET, project, out, AirflowOptions(runtime=runtime, **options)).written))

"""The plan that an export writes, in full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.targets.exported import export_to_airflow

HERE = Path(__file__).parent


@pytest.mark.parametrize("runtime", ["process", "docker", "kubernetes"])
def test_the_plan_of_a_project_with_everything_in_it(
    runtime: str, tmp_path: Path, golden: Callable[[str, Path], None]
) -> None:
    root = tmp_path / "project"
    (root / "pipelines").mkdir(parents=True)
    shutil.copy(HERE / "windlass.yaml", root)
    for name in ("everything.yaml", "follow.yaml"):
        shutil.copy(HERE / name, root / "pipelines")
    *_, plan = export_to_airflow(root, tmp_path / "out", runtime, project_path="..")
    golden(plan.read_text(encoding="utf-8"), HERE / "golden" / f"{runtime}.json")

"""What an export writes."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.errors import SpecError
from windlass.plan.bundle import BUNDLE_VERSION
from windlass.plan.codec import from_json
from windlass.plan.compiler import compile_project
from windlass.spec import load_project
from windlass.targets import airflow
from windlass.targets.airflow.export import export

Project = Callable[..., Path]

LOADER = Path(airflow.__file__).with_name("loader")
ONE = {"pipelines/p.yaml": "pipeline: p\ntasks: {a: {run: {command: [date]}}}\n"}


def test_an_export_is_the_loader_and_the_plans_of_all_pipelines(project: Project, tmp_path: Path) -> None:
    root = project(ONE | {"pipelines/q.yaml": "pipeline: q\ntasks: {b: {sql: {statement: SELECT 1}}}\n"})
    written = export(root, tmp_path / "out")
    dags = tmp_path / "out" / "dags"
    assert written[-2:] == [dags / "windlass_dags.py", dags / "plan.json"]
    assert {file.parent for file in written[:-2]} == {dags / "windlass_airflow"}
    bundle = json.loads((dags / "plan.json").read_text())
    assert (bundle["version"], bundle["project"], list(bundle["pipelines"])) == (
        BUNDLE_VERSION,
        "test",
        ["p", "q"],
    )
    assert bundle["runtime"]["project"] == str(root)
    plans = {name: from_json(json.dumps(plan)) for name, plan in bundle["pipelines"].items()}
    assert plans == compile_project(load_project(root))


def test_the_same_project_gives_the_same_bytes_and_leaves_the_files_alone(
    project: Project, tmp_path: Path
) -> None:
    root = project(ONE)
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in export(root, tmp_path)]
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in export(root, tmp_path)] == before
    names = sorted(file.name for file in (tmp_path / "dags").iterdir())
    assert names == ["plan.json", "windlass_airflow", "windlass_dags.py"]


def test_a_project_with_a_problem_keeps_its_last_export(project: Project, tmp_path: Path) -> None:
    root = project(ONE)
    files = export(root, tmp_path)
    before = [file.read_bytes() for file in files]
    (root / "pipelines/p.yaml").write_text("pipeline: p\ntasks: {a: {nap: {}}}\n")
    with pytest.raises(SpecError, match="nap"):
        export(root, tmp_path)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("file", sorted(LOADER.rglob("*.py")), ids=lambda file: file.name)
def test_the_loader_imports_only_the_standard_library_and_airflow(file: Path) -> None:
    tree = ast.parse(file.read_text())
    named = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    named |= {
        node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level  # the others are of the loader itself
    }
    roots = {name.partition(".")[0] for name in named}
    assert roots - sys.stdlib_module_names <= {"airflow", "kubernetes"}

"""What an export writes."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from tests.targets.exported import export_to_airflow
from windlass.errors import FatalError, SpecError
from windlass.plan.bundle import BUNDLE_VERSION
from windlass.plan.codec import from_json
from windlass.spec import load_project
from windlass.targets import CompiledProject, airflow
from windlass.targets.airflow.target import AirflowOptions
from windlass.targets.exporting import compiled, export, stale
from windlass.targets.table import TARGETS

Project = Callable[..., Path]

LOADER = Path(airflow.__file__).with_name("loader")
ONE = {"pipelines/p.yaml": "pipeline: p\ntasks: {a: {run: {command: [date]}}}\n"}


def test_an_export_is_the_loader_and_the_plans_of_all_pipelines(project: Project, tmp_path: Path) -> None:
    root = project(ONE | {"pipelines/q.yaml": "pipeline: q\ntasks: {b: {sql: {statement: SELECT 1}}}\n"})
    written = export_to_airflow(root, tmp_path / "out")
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
    assert plans == compiled(load_project(root)).open_plans


def test_the_same_project_gives_the_same_bytes_and_leaves_the_files_alone(
    project: Project, tmp_path: Path
) -> None:
    root = project(ONE)
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in export_to_airflow(root, tmp_path)]
    assert [
        (file.read_bytes(), file.stat().st_mtime_ns) for file in export_to_airflow(root, tmp_path)
    ] == before
    names = sorted(file.name for file in (tmp_path / "dags").iterdir())
    assert names == ["plan.json", "windlass_airflow", "windlass_dags.py"]


NEEDY = {
    "windlass.yaml": "project: p\npools: {few: 2}\nconnections:\n  db: {type: postgres}\n  chat: {type: slack}\n"
    "  web: {type: http, base_url: https://api.example.org}\n",
    "pipelines/a.yaml": "pipeline: a\nschedule: '@daily'\non_failure: chat\ntasks:\n"
    "  t: {pool: few, sql: {connection: db, statement: SELECT 1}}\n"
    "  w: {run: {command: [date], connections: [web]}}\n",
    "pipelines/b.yaml": "pipeline: b\nschedule: '@daily'\ntasks: {w: {run: {command: [date]}}}\n",
}
BOTH = {"db": "postgres", "chat": "slack"}


@pytest.mark.parametrize(
    ("name", "said", "connections", "pools"),
    [
        ("airflow", {}, BOTH, {"few": 2}),
        ("kubernetes", {}, BOTH, {}),
        ("kubernetes", {"pipelines": "b"}, {}, {}),
        ("argo", {}, BOTH, {}),
        ("argo", {"pipelines": "b"}, {}, {}),
        ("cron", {}, BOTH, {}),
        ("compose", {}, {"chat": "slack"}, {}),
        ("ci", {}, {}, {}),
    ],
)
def test_a_scheduler_needs_what_nobody_else_has_or_makes(
    project: Project, name: str, said: dict[str, str], connections: dict[str, str], pools: dict[str, int]
) -> None:
    root = project(NEEDY)
    target = TARGETS.load(name)
    needs = export(target, root, root, target.options(**said)).needs
    assert (needs.connections, needs.pools) == (connections, pools)
    assert needs.pipelines == (("b",) if said else ("a", "b"))


def test_a_check_names_what_is_missing_or_differs_and_writes_nothing(
    project: Project, tmp_path: Path
) -> None:
    root = project(ONE)
    target, options, out = TARGETS.load("airflow"), AirflowOptions(), tmp_path / "out"
    assert len(stale(target, root, out, options)) > 2
    assert not out.exists()
    written = export_to_airflow(root, out)
    assert stale(target, root, out, options) == []
    (root / "pipelines/p.yaml").write_text("pipeline: p\ntasks: {b: {run: {command: [date]}}}\n")
    written[0].unlink()
    assert stale(target, root, out, options) == [written[0], written[-1]]


def test_a_project_with_a_problem_keeps_its_last_export(project: Project, tmp_path: Path) -> None:
    root = project(ONE)
    files = export_to_airflow(root, tmp_path)
    before = [file.read_bytes() for file in files]
    (root / "pipelines/p.yaml").write_text("pipeline: p\ntasks: {a: {nap: {}}}\n")
    with pytest.raises(SpecError, match="nap"):
        export_to_airflow(root, tmp_path)
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
    assert roots - sys.stdlib_module_names <= {
        "airflow",
        "docker",
        "kubernetes",
    }  # their providers bring them


class Odd:
    """A target that writes what it is told."""

    title = "Odd"
    options = Struct

    def __init__(self, **texts: str) -> None:
        self._texts = texts

    def render(self, project: CompiledProject, options: object) -> dict[str, str]:
        return self._texts


@pytest.mark.parametrize("path", ["/etc/passwd", "../out.txt", "a/../../b"])
def test_a_target_writes_below_the_folder_of_the_export_alone(
    path: str, project: Project, tmp_path: Path
) -> None:
    with pytest.raises(FatalError, match="not below the folder of the export"):
        export(Odd(first="text", **{path: "text"}), project(ONE), tmp_path / "out")
    assert not (tmp_path / "out.txt").exists()
    assert not (tmp_path / "out").exists()


def test_a_text_is_written_as_it_is(project: Project, tmp_path: Path) -> None:
    texts = {"a": "no end", "b": "two\r\nlines\n", "c/d": "é\n"}
    written = export(Odd(**texts), project(ONE), tmp_path).written
    assert [file.read_bytes().decode() for file in written] == list(texts.values())

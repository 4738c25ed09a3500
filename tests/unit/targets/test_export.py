"""What an export writes."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import Struct

from tests.targets.exported import export_to_airflow
from windlass.connectors.stores.folder import FolderStore
from windlass.errors import FatalError, SpecError, UsageError
from windlass.plan.bundle import BUNDLE_VERSION
from windlass.plan.codec import from_json
from windlass.plan.compiler import Scope, compile
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


@pytest.mark.parametrize("name", TARGETS.names())
def test_a_file_that_somebody_else_has_written_stays_as_it_is(
    project: Project, tmp_path: Path, name: str
) -> None:
    """Of each file that has a place for a mark: all but those of the loader's package."""
    root, target = project(ONE), TARGETS.load(name)
    made = target.render(compiled(load_project(root)), target.options())
    export(target, root, tmp_path)
    marked = [path for path in made if "windlass_airflow/" not in path]
    assert marked
    for path in marked:
        (tmp_path / path).write_text("mine\n")
        before = snapshot(tmp_path)
        with pytest.raises(UsageError, match="not written over") as caught:
            export(target, root, tmp_path)
        assert str(tmp_path / path) in str(caught.value)
        assert snapshot(tmp_path) == before, "and nothing else has been written"
        (tmp_path / path).write_text(made[path] + "\n\n")
        export(target, root, tmp_path)
        assert (tmp_path / path).read_text() == made[path]


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_no_export_becomes_a_part_of_the_project(project: Project) -> None:
    root = project(ONE)
    with pytest.raises(FatalError, match="what the project itself is made of"):
        export(TARGETS.load("kubernetes"), root, root / "pipelines")
    assert [file.name for file in (root / "pipelines").iterdir()] == ["p.yaml"]


NEEDY = {
    "windlass.yaml": "project: p\npools: {few: 2}\nconnections:\n  db: {type: postgres}\n  chat: {type: slack}\n"
    "  web: {type: http, base_url: https://api.example.org}\n"
    "  api: {type: http, base_url: https://api.example.org, auth: {type: bearer}}\n",
    "pipelines/a.yaml": "pipeline: a\nschedule: '@daily'\non_failure: chat\ntasks:\n"
    "  t: {pool: few, sql: {connection: db, statement: SELECT 1}}\n"
    "  w: {run: {command: [date], connections: [web, api]}}\n",
    "pipelines/b.yaml": "pipeline: b\nschedule: '@daily'\ntasks: {w: {run: {command: [date]}}}\n",
}
ALL = {"api": "http", "db": "postgres", "chat": "slack"}  # the address of `api` is known, its secret is not


@pytest.mark.parametrize(
    ("name", "said", "connections", "pools"),
    [
        ("airflow", {}, ALL, {"few": 2}),
        ("kubernetes", {}, ALL, {}),
        ("kubernetes", {"pipelines": "b"}, {}, {}),
        ("argo", {}, ALL, {}),
        ("argo", {"pipelines": "b"}, {}, {}),
        ("cron", {}, ALL, {}),
        ("compose", {}, {"api": "http", "chat": "slack"}, {}),
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
    assert stale(target, root, out, options) == {}
    (root / "pipelines/p.yaml").write_text("pipeline: p\ntasks: {b: {run: {command: [date]}}}\n")
    written[0].unlink()
    assert stale(target, root, out, options) == {str(written[0]): "missing", str(written[-1]): "differs"}


EXPORTS: list[tuple[str, dict[str, str]]] = [
    ("kubernetes", {}),
    ("kubernetes", {"form": "helm"}),
    ("argo", {}),
    ("cron", {"scheduler": "systemd"}),
]
"""Those with a file for each pipeline."""


@pytest.mark.parametrize(("name", "said"), EXPORTS)
def test_files_of_a_pipeline_that_went_are_told_and_removed_and_those_of_others_stay(
    project: Project, tmp_path: Path, name: str, said: dict[str, str]
) -> None:
    when = "schedule: '@daily'\ntasks: {a: {sql: {statement: SELECT 1}}}\n"
    roots = {
        one: project(
            {"windlass.yaml": f"project: {one}\n"}
            | {f"pipelines/{p}.yaml": f"pipeline: {p}\n{when}" for p in "ab"},
            one,
        )
        for one in ("shop", "shop-b")
    }
    target, out = TARGETS.load(name), tmp_path / "out"
    options = target.options(**said)
    for root in roots.values():
        export(target, root, out, options)
    folder = out / {"cron": "systemd", "argo": "argo"}.get(name, "helm/templates" if said else "kubernetes")
    (folder / "mine.yaml").write_text("by hand\n")
    before = {file.name for file in folder.iterdir()}
    (roots["shop"] / "pipelines/b.yaml").unlink()
    gone = {one for one in before if one.partition(".")[0] in ("shop-b", "windlass-shop-b")}
    assert gone
    left = {file for file, what in stale(target, roots["shop"], out, options).items() if what == "left over"}
    assert {Path(file).name for file in left} == gone
    removed = export(target, roots["shop"], out, options).removed
    assert {*removed} == left
    assert {file.name for file in folder.iterdir()} == before - gone


def test_in_a_bucket_too(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore("lake", tmp_path / "lake")
    where = SimpleNamespace(store=store, key="deployed/")
    monkeypatch.setattr("windlass.connectors.stores.where.stored_path", lambda _: where)
    root = project(ONE | {"pipelines/q.yaml": "pipeline: q\ntasks: {b: {sql: {statement: SELECT 1}}}\n"})
    target, out = TARGETS.load("kubernetes"), "s3://lake/deployed"
    export(target, root, out)
    store.put("deployed/kubernetes/below/test-q.yaml", b"# by windlass export", None)
    (root / "pipelines/q.yaml").unlink()
    assert stale(target, root, out, target.options())[f"{out}/kubernetes/test-q.yaml"] == "left over"
    assert export(target, root, out).removed == (f"{out}/kubernetes/test-q.yaml",)
    names = [found.key.removeprefix("deployed/kubernetes/") for found in store.list("")]
    assert names == ["below/test-q.yaml", "kustomization.yaml", "test-p.yaml"]


@pytest.mark.parametrize(("name", "said"), EXPORTS)
def test_a_pipeline_that_was_not_chosen_keeps_its_file(
    project: Project, tmp_path: Path, name: str, said: dict[str, str]
) -> None:
    when = "schedule: '@daily'\ntasks: {a: {sql: {statement: SELECT 1}}}\n"
    root = project(
        {"windlass.yaml": "project: test\n"} | {f"pipelines/{p}.yaml": f"pipeline: {p}\n{when}" for p in "pq"}
    )
    target = TARGETS.load(name)
    written = export(target, root, tmp_path / "out", target.options(**said)).written
    assert export(target, root, tmp_path / "out", target.options(**said, pipelines="p")).removed == ()
    assert all(Path(file).exists() for file in written)


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
    assert [Path(file).read_bytes().decode() for file in written] == list(texts.values())


OPEN = {
    "windlass.yaml": "project: p\nconnections: {w: {type: postgres}}\n",
    "day.sql": "SELECT {{ params.day }}, '{{ ds }}'",
    "rows.csv": "name,when\na,{{ params.day }}\nb,x\n",
    "pipelines/none.yaml": "pipeline: none\ntasks: {a: {run: {command: [echo, '{{ ds }}']}}}\n",
    "pipelines/key.yaml": "pipeline: key\nparams: {day: 1}\ntasks: {a: {run: {command: [echo, '{{ params.day }}']}}}\n",
    "pipelines/all.yaml": "pipeline: all\ntasks: {a: {run: {command: [echo, '{{ params }}']}}}\n",
    "pipelines/file.yaml": "pipeline: file\nparams: {day: 1}\ntasks: {a: {sql: {connection: w, file: day.sql}}}\n",
    "pipelines/each.yaml": "pipeline: each\nparams: {day: 1}\n"
    "tasks: {a: {for_each: {path: rows.csv}, run: {command: [echo, '{{ each.when }}']}}}\n",
}


@pytest.mark.parametrize("whole", ["examples", "made here"])
def test_plans_are_open_however_they_come_about(whole: str, project: Project) -> None:
    examples = sorted((Path(__file__).parents[3] / "examples").glob("*/windlass.yaml"))
    roots = [project(OPEN)] if whole == "made here" else [file.parent for file in examples]
    assert roots
    for root in roots:
        files = load_project(root)
        found = compiled(files)
        scope = Scope.of(files)
        assert found.open_plans == {
            name: compile(file, {}, scope, params_at_run=True) for name, file in files.pipelines.items()
        }

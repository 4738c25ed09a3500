"""A plan is kept from run to run, and compiled anew when anything that it is made of is not as it was."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass import registry
from windlass.api import kept_plans
from windlass.api.planning import compile_one
from windlass.errors import SpecError, UsageError
from windlass.noticing import noticing
from windlass.plan.model import Plan
from windlass.spec import load_project

REPOSITORY = Path(__file__).parents[2]
PROJECTS = sorted(file.parent for file in (REPOSITORY / "examples").glob("*/windlass.yaml"))
PIPELINE = """\
pipeline: p
params: {day: 1}
tasks:
  load: {sql: {file: load.sql}}
  rows: {copy: {from: {path: a.csv}, to: {path: b.parquet}, validate: {json_schema: row.json}}}
  each: {for_each: {path: entries.csv, with: {more: {path: more.yaml}}}, run: {command: [echo, "{{ each.name }}"]}}
"""
FILES = {
    "windlass.yaml": "project: kept\n",
    "pipelines/p.yaml": PIPELINE,
    "load.sql": "SELECT 1",
    "row.json": '{"type": "object"}',
    "entries.csv": "name\na\nb\n",
    "more.yaml": "[1, 2]",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "project"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def kept_or_compiled(project: Path, pipeline: str, params: dict[str, object]) -> Plan:
    return kept_plans.kept_or_compiled(project, pipeline, params).plan


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The pipelines that were compiled, one after the other."""
    done: list[str | None] = []

    def compile_and_note(project: Path, pipeline: str | None, params: dict[str, object]) -> Plan:
        done.append(pipeline)
        return compile_one(project, pipeline, params)

    monkeypatch.setattr(kept_plans, "_compiled", compile_and_note)
    return done


def test_a_pipeline_is_compiled_once(project: Path, compiled: list[str | None]) -> None:
    plans = [kept_or_compiled(project, "p", {}) for _ in range(3)]
    assert compiled == ["p"]
    assert plans == [compile_one(project, "p", {})] * 3


def test_the_connections_of_the_project_are_kept_too(project: Path, compiled: list[str | None]) -> None:
    for names in (["a", "b"], ["c"]):
        declared = "".join(f"  {name}: {{type: postgres}}\n" for name in names)
        (project / "windlass.yaml").write_text(f"project: kept\nconnections:\n{declared}")
        found = [kept_plans.kept_or_compiled(project, "p", {}).connections for _ in range(2)]
        assert found == [names, names]
    assert compiled == ["p", "p"]


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)

    return change


def link_elsewhere(project: Path) -> None:
    (project / "other.sql").write_text(FILES["load.sql"])
    (project / "load.sql").unlink()
    (project / "load.sql").symlink_to("other.sql")


CHANGES = {
    "windlass.yaml": write("windlass.yaml", "project: other\n"),
    "the pipeline": write("pipelines/p.yaml", PIPELINE.replace("day: 1", "day: 2")),
    "a statement": write("load.sql", "SELECT 2"),
    "a schema": write("row.json", "{}"),
    "entries": write("entries.csv", "name\na\nc\n"),
    "what entries have besides": write("more.yaml", "[1, 3]"),
    "a link": link_elsewhere,
    "entries of one name": write("entries.csv", "name\nc\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(project: Path, compiled: list[str | None], change: Callable[[Path], None]) -> None:
    kept_or_compiled(project, "p", {})
    change(project)
    assert kept_or_compiled(project, "p", {}) == compile_one(project, "p", {})
    assert compiled == ["p", "p"]


@pytest.mark.parametrize("name", [name for name in FILES if name != "windlass.yaml"])
def test_a_file_that_is_gone_is_missed(project: Path, compiled: list[str | None], name: str) -> None:
    kept_or_compiled(project, "p", {})
    (project / name).unlink()
    with pytest.raises((SpecError, UsageError)):
        kept_or_compiled(project, "p", {})


def test_a_file_that_names_the_pipeline_better_is_seen(project: Path, compiled: list[str | None]) -> None:
    file = project / "pipelines" / "p.yaml"
    file.rename(file.with_name("other.yaml"))
    kept_or_compiled(project, "p", {})
    file.write_text("pipeline: p\ntasks: {t: {run: {command: [echo]}}}\n")
    assert [task.name for task in kept_or_compiled(project, "p", {}).tasks] == ["t"]
    assert compiled == ["p", "p"]


def test_a_copy_of_a_project_has_plans_of_its_own(project: Path, compiled: list[str | None]) -> None:
    kept_or_compiled(project, "p", {})
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    (copy / "load.sql").write_text("SELECT 3")
    assert kept_or_compiled(copy, "p", {}) == compile_one(copy, "p", {})
    assert compiled == ["p", "p"]


def test_parameters_and_code_are_part_of_it(
    project: Path, compiled: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [kept_or_compiled(project, "p", {"day": day}) for day in (1, "1", 2, 2)]
    assert compiled == ["p"] * 3
    assert [plan.params["day"] for plan in plans] == [1, 1, 2, 2]
    monkeypatch.setattr(kept_plans, "identity", lambda: "another version")
    kept_or_compiled(project, "p", {"day": 2})
    assert compiled == ["p"] * 4


def test_what_is_kept_may_be_broken_and_is_private(project: Path, compiled: list[str | None]) -> None:
    kept_or_compiled(project, "p", {})
    [file] = (project / ".windlass" / "plans").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    for content in (b"", b"{}", file.read_bytes()[:-9]):
        file.write_bytes(content)
        assert kept_or_compiled(project, "p", {}) == compile_one(project, "p", {})
    assert compiled == ["p"] * 4


def test_where_code_of_another_package_has_a_say_nothing_is_kept(
    project: Path, compiled: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with noticing() as noticed:
        registry.CONNECTORS.has("postgres")
        assert noticed.is_all
        registry.CONNECTORS.has("of-another-package")
        assert not noticed.is_all

    def compile_by_others(project: Path, pipeline: str | None, params: dict[str, object]) -> Plan:
        registry.CONNECTORS.has("of-another-package")
        return compile_one(project, pipeline, params)

    monkeypatch.setattr(kept_plans, "_compiled", compile_by_others)
    kept_or_compiled(project, "p", {})
    assert not (project / ".windlass").exists()


# --- nothing is looked at without being noted ---

_opened: list[str] = []
_is_heard = False


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _is_heard and event in ("open", "os.listdir", "os.scandir"):
        path = arguments[0]
        if isinstance(path, str | os.PathLike):
            _opened.append(os.fspath(path))


sys.addaudithook(_hear)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every path that was opened, listed, or asked for what it is."""
    found: list[str] = []
    for name in ("stat", "lstat", "readlink"):
        original = getattr(os, name)

        def heard(
            path: object, *given: object, original: Callable[..., object] = original, **more: object
        ) -> object:
            if isinstance(path, str | os.PathLike):
                found.append(os.fspath(path))
            return original(path, *given, **more)

        monkeypatch.setattr(os, name, heard)
    return found


@pytest.mark.parametrize(
    "project", [None, *PROJECTS], indirect=False, ids=lambda p: p.name if p else "made here"
)
def test_nothing_is_looked_at_that_is_not_noted(
    project: Path | None, tmp_path: Path, looked_at: list[str]
) -> None:
    global _is_heard
    root = tmp_path.resolve() / "project"
    if project is not None:
        shutil.copytree(project, root)
    else:
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    for pipeline in list(load_project(root).pipelines):
        _opened.clear()
        looked_at.clear()
        with noticing() as noticed:
            _is_heard = True
            try:
                compile_one(root, pipeline, {})
            finally:
                _is_heard = False
        seen = {path for path in (*_opened, *looked_at) if Path(path).is_relative_to(root)}
        places = {where for _, where, _ in noticed.facts}
        lists = [where for how, where, _ in noticed.facts if how == "yaml"]
        passed = {str(parent) for place in places for parent in Path(place).parents}
        unnoted = {
            path for path in seen - places - passed if not any(path.startswith(f"{at}/") for at in lists)
        }
        assert places
        assert unnoted == set()

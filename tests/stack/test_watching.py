"""The project's files, followed while Airflow is up: what is taken over, and what is not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from windlass.errors import SpecError
from windlass.stack.watching import Watch, publish

Project = Callable[[dict[str, str]], Path]

SQL = "pipeline: p\ntasks:\n  t:\n    sql: {connection: db, file: sql/t.sql}\n"
FILES = {
    "windlass.yaml": "project: test\nconnections:\n  db: {type: sqlite, dev: {init: [sql/db.sql]}}\n",
    "pipelines/p.yaml": SQL,
    "sql/t.sql": "select 1",
    "sql/db.sql": "create table t (a int)",
}


def plan(out: Path) -> Any:
    return json.loads((out / "dags" / "plan.json").read_text())


@pytest.mark.parametrize("name", ["windlass.yaml", "pipelines/p.yaml", "sql/t.sql", "sql/db.sql", ".env"])
def test_every_file_that_a_plan_comes_from_is_followed(project: Project, tmp_path: Path, name: str) -> None:
    root = project(FILES)
    watch = Watch(root)
    watch.follow(publish(root, tmp_path / "out").files)
    assert not watch.has_changed()
    with (root / name).open("a") as file:
        file.write("# more\n")
    assert watch.has_changed()
    assert not watch.has_changed()


def test_a_new_pipeline_and_one_that_is_gone_are_noticed(project: Project) -> None:
    root = project(FILES)
    watch = Watch(root)
    new = root / "pipelines" / "more" / "q.yml"
    new.parent.mkdir()
    new.write_text(SQL)
    assert watch.has_changed()
    new.unlink()
    assert watch.has_changed()


def test_other_files_are_nobodys_business(project: Project) -> None:
    root = project(FILES)
    watch = Watch(root)
    (root / "data.csv").write_text("id\n1\n")
    assert not watch.has_changed()


def test_a_broken_edit_leaves_the_last_good_plan_in_place(project: Project, tmp_path: Path) -> None:
    root = project(FILES)
    publish(root, tmp_path)
    good = plan(tmp_path)
    (root / "pipelines" / "p.yaml").write_text(SQL.replace("connection", "connektion"))
    with pytest.raises(SpecError, match="did you mean 'connection'"):
        publish(root, tmp_path)
    assert plan(tmp_path) == good
    (root / "pipelines" / "p.yaml").write_text(SQL.replace("  t:", "  mended:"))
    publish(root, tmp_path)
    assert [task["name"] for task in plan(tmp_path)["pipelines"]["p"]["tasks"]] == ["mended"]


def test_the_loader_looks_changed_when_only_the_plan_is(project: Project, tmp_path: Path) -> None:
    root = project(FILES)
    publish(root, tmp_path)
    loader = tmp_path / "dags" / "windlass_dags.py"
    os.utime(loader, (0, 0))
    (root / "pipelines" / "p.yaml").write_text(SQL.replace("  t:", "  other:"))
    publish(root, tmp_path)
    assert loader.stat().st_mtime > 0

"""`windlass runs --json`: every run with its tasks, and the run whose trigger started it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output

Windlass = Callable[..., Output]
Project = Callable[[dict[str, str]], Path]

OUTER = """
pipeline: outer
tasks:
  start: {trigger: {pipeline: inner}}
"""
INNER = """
pipeline: inner
tasks:
  copy:
    copy: {from: {path: in.csv}, to: {path: out.parquet}}
"""


def test_a_triggered_run_is_listed_with_its_parent_and_its_tasks(
    windlass: Windlass, project: Project
) -> None:
    root = project({"pipelines/outer.yaml": OUTER, "pipelines/inner.yaml": INNER, "in.csv": "id\n1\n2\n"})
    run = windlass("-C", root, "run", "outer", "--json")
    assert run.code == 0, run.stderr
    runs = {found["pipeline"]: found for found in windlass("-C", root, "runs", "--json").json}
    assert runs["inner"]["parent"] == runs["outer"]["run_id"] == run.json["run_id"]
    assert runs["outer"]["tasks"] == run.json["tasks"]
    [copied] = runs["inner"]["tasks"]
    assert (copied["task"], copied["kind"], copied["status"], copied["rows_written"]) == (
        "copy",
        "copy",
        "success",
        2,
    )

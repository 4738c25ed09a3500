"""Every target that runs pipelines exports some of them, in the same words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.errors import UsageError
from windlass.spec import load_project
from windlass.targets import TargetWithNeeds
from windlass.targets.exporting import compiled
from windlass.targets.table import TARGETS

Project = Callable[..., Path]

RUNNING = ["airflow", "argo", "cron", "kubernetes"]


@pytest.fixture
def shop(project: Project) -> Path:
    """A pipeline that triggers another, one of its own, and one that no machine could start."""
    return project(
        {
            "windlass.yaml": "project: shop\nconnections: {a: {type: postgres}, b: {type: postgres}, c: {type: postgres}}\n"
            "images: {registry: r.example.com, project: true}\n",
            "pipelines/one.yaml": "pipeline: one\nschedule: '@daily'\ntasks:\n"
            "  t: {sql: {connection: a, statement: SELECT 1}}\n  go: {trigger: {pipeline: two}}\n",
            "pipelines/two.yaml": "pipeline: two\ntasks: {t: {sql: {connection: b, statement: SELECT 1}}}\n",
            "pipelines/three.yaml": "pipeline: three\nschedule: '@daily'\ncatchup: true\nstart: 2026-01-01\n"
            "tasks: {t: {sql: {connection: c, statement: SELECT 1}}}\n",
        }
    )


@pytest.mark.parametrize("name", RUNNING)
def test_only_the_chosen_pipelines_are_exported(name: str, shop: Path) -> None:
    target, project = TARGETS.load(name), compiled(load_project(shop))
    assert isinstance(target, TargetWithNeeds)
    options = target.options(pipelines="one")
    text = "".join(target.render(project, options).values())
    assert "one" in text
    assert "three" not in text
    needs = target.needs(project, options)
    assert list(needs.connections) == ["a", "b"]
    assert set(needs.pipelines) - {"two"} == {"one"}
    with pytest.raises(UsageError, match="there is no pipeline 'ones'"):
        target.render(project, target.options(pipelines="one,ones"))


def test_a_chosen_pipeline_of_airflow_has_those_that_it_triggers(shop: Path) -> None:
    target = TARGETS.load("airflow")
    files = target.render(compiled(load_project(shop)), target.options(pipelines="one"))
    assert sorted(json.loads(files["dags/plan.json"])["pipelines"]) == ["one", "two"]

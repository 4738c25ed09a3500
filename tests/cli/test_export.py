"""`windlass export airflow`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output

Windlass = Callable[..., Output]


def test_an_export_says_what_airflow_must_have(windlass: Windlass, project: Callable[..., Path]) -> None:
    root = project(
        {
            "windlass.yaml": "project: p\nconnections: {db: {type: postgres}, slack: {type: slack}}\npools: {few: 2}\n",
            "pipelines/a.yaml": "pipeline: a\non_failure: slack\n"
            "tasks: {t: {pool: few, sql: {connection: db, statement: SELECT 1}}}\n",
        }
    )
    done = windlass("-C", root, "export", "airflow", "--out", "deploy", cwd=root.parent)
    assert done.code == 0
    assert done.stdout == (
        "wrote deploy/dags with a\n"
        "  Airflow needs connection db (postgres)\n"
        "  Airflow needs connection slack (slack)\n"
        "  Airflow needs pool few (2 slots)\n"
    )
    assert (root.parent / "deploy" / "dags" / "windlass_dags.py").exists()
    again = windlass("-C", root, "export", "airflow", "--json").json
    assert again["needs"]["pools"] == {"few": 2}
    assert str(root / "dags" / "plan.json") in again["written"]


def test_a_project_with_a_problem_is_not_exported(windlass: Windlass, project: Callable[..., Path]) -> None:
    root = project({"pipelines/a.yaml": "pipeline: a\ntasks: {t: {nap: {}}}\n"})
    done = windlass("-C", root, "export", "airflow")
    assert done.code == 2
    assert "pipelines/a.yaml:2:" in done.stderr
    assert not (root / "dags").exists()

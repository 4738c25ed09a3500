"""`windlass export airflow`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output
from tests.connectors.store_kit import Bucket

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


@pytest.mark.parametrize("store", ["s3", "gcs", "azure"])
def test_a_bucket_takes_what_changes_and_keeps_all_else(
    store: str, request: pytest.FixtureRequest, windlass: Windlass, project: Callable[..., Path]
) -> None:
    bucket: Bucket = request.getfixturevalue(store)()
    pipeline = "pipeline: a\ntasks: {t: {download: {url: 'http://localhost/x', to: x}}}\n"
    root = project({"windlass.yaml": "project: p\n", "pipelines/a.yaml": pipeline})
    out = {"s3": "s3", "gcs": "gs", "azure": "az"}[store] + f"://{bucket.name}/composer"

    def export(*words: str) -> Output:
        return windlass("-C", root, "export", "airflow", "--out", out, *words, env=bucket.environment())

    bucket.put("composer/dags/of_others.py", b"theirs")
    assert export("--check").code == 1
    done = export()
    assert (done.code, done.stdout) == (0, f"wrote {out}/dags with a\n"), done
    assert b"windlass" in bucket.get("composer/dags/windlass_dags.py")
    assert export("--check").code == 0
    before = bucket.versions()
    assert export().code == 0
    assert bucket.versions() == before
    (root / "pipelines/a.yaml").write_text(pipeline.replace("to: x", "to: y"))
    assert export("--check").stdout == f"differs: {out}/dags/plan.json\n"
    assert export().code == 0
    changed = {key for key, version in bucket.versions().items() if before[key] != version}
    assert changed == {"composer/dags/plan.json"}
    assert bucket.get("composer/dags/of_others.py") == b"theirs"


@pytest.mark.parametrize("store", ["s3", "gcs", "azure"])
def test_what_is_left_of_a_pipeline_that_went_is_removed_from_a_bucket(
    store: str, request: pytest.FixtureRequest, windlass: Windlass, project: Callable[..., Path]
) -> None:
    bucket: Bucket = request.getfixturevalue(store)()
    pipelines = {
        f"pipelines/{name}.yaml": f"pipeline: {name}\ntasks: {{t: {{sql: {{statement: SELECT 1}}}}}}\n"
        for name in "ab"
    }
    root = project({"windlass.yaml": "project: p\n", **pipelines})
    out = {"s3": "s3", "gcs": "gs", "azure": "az"}[store] + f"://{bucket.name}/deployed"

    def export(*words: str) -> Output:
        return windlass("-C", root, "export", "kubernetes", "--out", out, *words, env=bucket.environment())

    bucket.put("deployed/kubernetes/mine.yaml", b"by hand")
    assert export().code == 0
    (root / "pipelines/b.yaml").unlink()
    assert f"left over: {out}/kubernetes/p-b.yaml\n" in export("--check").stdout
    assert f"  removed {out}/kubernetes/p-b.yaml, whose pipeline is not there any more\n" in export().stdout
    names = {key.rpartition("/")[2] for key in bucket.versions()}
    assert names == {"kustomization.yaml", "mine.yaml", "p-a.yaml"}
    assert export("--check").code == 0


def test_secrets_of_a_target_do_not_go_into_a_bucket(
    windlass: Windlass, project: Callable[..., Path]
) -> None:
    root = project(
        {
            "windlass.yaml": "project: p\n",
            "pipelines/a.yaml": "pipeline: a\ntasks: {t: {download: {url: 'http://localhost/x', to: x}}}\n",
        }
    )
    done = windlass(
        "-C", root, "export", "compose", "--out", "s3://nowhere/x", env={"AWS_REGION": "us-east-1"}
    )
    assert done.code == 2
    assert "is not put into a bucket" in done.stderr

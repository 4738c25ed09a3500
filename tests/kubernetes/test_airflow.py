"""Tasks that an exported DAG has started as pods: by Airflow's own operator, on a real cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Output
from tests.kubernetes.cluster import Cluster
from windlass.connections.address import Address
from windlass.connectors.postgres.session import Session

PROJECT = """
project: flown
connections: {{db: {{type: postgres}}}}
images: {{project: true}}
runtimes:
  kubernetes: {{namespace: {namespace}, image_pull_policy: Never, startup_timeout: 5m}}
"""

PIPELINE = """
pipeline: flown
schedule: "@daily"
start: 2026-02-01
tasks:
  load:
    copy:
      from: {connection: db, query: "SELECT i AS id, '{{ ds }}' AS day FROM generate_series(1, 1000) AS i"}
      to: {connection: db, table: flown, mode: append}
  wrong: {sql: {connection: db, statement: SELECT no_such_column}}
"""

RUN = {
    "run_id": "scheduled__2026-02-01T00:00:00+00:00",
    "run_type": "scheduled",
    "logical_date": "2026-02-01T00:00:00+00:00",
    "start": "2026-02-01T00:00:00+00:00",
    "end": "2026-02-02T00:00:00+00:00",
    "run_after": "2026-02-02T00:00:00+00:00",
}


@pytest.fixture
def execute(tmp_path: Path, cluster: Cluster) -> Callable[[Path, str], dict[str, Any]]:
    """Have Airflow's operator execute a task of an exported DAG."""

    def execute(dags: Path, task: str) -> dict[str, Any]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "WINDLASS_"))}
        environment |= {"AIRFLOW_HOME": str(tmp_path / "airflow"), "PYTHONWARNINGS": "ignore"}
        environment["AIRFLOW_CONN_KUBERNETES_DEFAULT"] = "kubernetes://"
        run = json.dumps({**RUN, "kubeconfig": str(cluster.kubeconfig)})
        command = [
            sys.executable,
            "-m",
            "tests.airflow.inside",
            "on_kubernetes",
            str(dags),
            "flown",
            task,
            run,
        ]
        done = subprocess.run(
            command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, done.stderr
        log, _, answer = done.stdout.rpartition("\n")
        found: dict[str, Any] = json.loads(answer)
        return {**found, "log": log + done.stderr}

    return execute


def test_a_pod_of_airflow_loads_a_run_once_and_says_what_went_wrong(
    execute: Callable[[Path, str], dict[str, Any]],
    windlass: Callable[..., Output],
    project: Callable[..., Path],
    cluster: Cluster,
    image: str,
    database: Address,
    session: Session,
    seen_from_pods: Callable[[Address], str],
) -> None:
    settings = PROJECT.format(namespace=cluster.namespace)
    root = project({"windlass.yaml": settings, "pipelines/flown.yaml": PIPELINE})
    assert windlass("-C", root, "export", "airflow", "--runtime", "kubernetes").code == 0
    plan = root / "dags/plan.json"
    plan.write_text(plan.read_text().replace("flown:latest", image))
    cluster.secret("flown-connections", WINDLASS_CONN_DB=seen_from_pods(database))
    for _ in range(2):
        done = execute(root / "dags", "load")
        assert done["raised"] is None, done["log"]
    assert done["result"]["rows_written"] == 1_000
    assert session.value("SELECT count(*) FROM flown WHERE day = '2026-02-01'") == 1_000
    assert session.value("SELECT run_key FROM _windlass_loads") == "2026-02-01T00:00:00+00:00"
    failed = execute(root / "dags", "wrong")
    assert "no_such_column" in failed["raised"][1]
    assert (
        cluster.json("get", "pods", "--selector=task in (load, wrong)")["items"] == []
    )  # removed when they have ended

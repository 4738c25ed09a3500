"""A chart that was exported, installed by Helm on a real cluster."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.conftest import PROJECT, Url
from windlass.connections.address import Address
from windlass.connectors.postgres.session import Session

PIPELINE = """
pipeline: charted
schedule: "0 5 * * *"
tasks:
  load: {copy: {from: {connection: db, query: "SELECT 1 AS id"}, to: {connection: db, table: charted, mode: append}}}
"""


@pytest.mark.skipif(not shutil.which("helm"), reason="helm is not there")
def test_a_release_runs_the_pipeline_with_the_values_that_it_was_given(
    cluster: Cluster,
    image: str,
    windlass: Callable[..., Output],
    project: Callable[..., Path],
    database: Address,
    session: Session,
    seen_from_pods: Url,
) -> None:
    settings = PROJECT.format(project="charted", namespace="elsewhere")
    root = project({"windlass.yaml": settings, "pipelines/charted.yaml": PIPELINE})
    done = windlass("-C", root, "export", "kubernetes", "--form", "helm")
    assert done.code == 0, done.stderr
    cluster.secret("charted-connections", WINDLASS_CONN_DB=seen_from_pods(database))
    given = (f"--set=images.charted={image}", "--set=pipelines.charted.suspend=true")
    command = ["helm", f"--kubeconfig={cluster.kubeconfig}", f"--namespace={cluster.namespace}"]
    for _ in range(2):  # an upgrade of the same changes nothing
        installed = subprocess.run(
            [*command, "upgrade", "--install", "charted", str(root / "helm"), *given],
            check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert installed.returncode == 0, installed.stderr
    assert cluster.json("get", "cronjob", "charted")["spec"]["suspend"] is True
    cluster.start("charted", "by-hand-of-chart")
    assert cluster.ended("by-hand-of-chart") == "Complete", cluster("logs", "job/by-hand-of-chart")
    assert session.value("SELECT count(*) FROM charted") == 1
    subprocess.run([*command, "uninstall", "charted"], check=True, capture_output=True, timeout=120)

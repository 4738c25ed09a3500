"""The examples on Airflow, under its own scheduler, triggered over its REST API."""

from __future__ import annotations

from tests.airflow.proof import Proof


def test_every_pipeline_is_a_dag_and_nothing_is_wrong(proof: Proof) -> None:
    pipelines = {file.stem for file in (proof.up.project / "pipelines").iterdir()}
    dags = proof.up.call("GET", "/dags?limit=100")["dags"]
    assert {dag["dag_id"] for dag in dags} == pipelines
    assert proof.up.call("GET", "/importErrors")["import_errors"] == []

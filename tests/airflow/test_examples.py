"""The examples on Airflow, under its own scheduler, triggered over its REST API."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

from tests.airflow.proof import Proof
from tests.conftest import ROOT
from tests.examples.expected import (
    CUT_OFF,
    DRUGS_NODES,
    DRUGS_ROWS,
    IN_ARTICLES,
    IN_JOURNALS,
    SALES,
    TRIPS,
)
from tests.examples.test_drugs_import import tables
from tests.examples.test_pg2pg import FINGERPRINT
from windlass import compile


def test_every_pipeline_is_a_dag_and_nothing_is_wrong(proof: Proof) -> None:
    pipelines = set(compile(proof.up.project)) - {"in_containers"}
    dags = proof.up.call("GET", "/dags?limit=100")["dags"]
    assert {dag["dag_id"] for dag in dags} - {"in_containers"} == pipelines
    assert proof.up.call("GET", "/importErrors")["import_errors"] == []


def test_pg2pg_copies_every_row_and_says_how_many(proof: Proof) -> None:
    run = proof.run("pg2pg")
    source = proof.databases.ask("pg_x", FINGERPRINT.format("tb_trx_src"))
    assert source[0][0] == SALES
    assert proof.databases.ask("pg_y", FINGERPRINT.format("tb_trx_dest")) == source
    log = proof.up.log("pg2pg", run, "transfer_data")
    assert f"done: {SALES:,} rows read, {SALES:,} written, 0 quarantined" in log
    summary = proof.up.xcom("pg2pg", run, "transfer_data")
    assert (summary["rows_read"], summary["rows_written"], summary["path"]) == (
        SALES,
        SALES,
        "copy-binary",
    )
    [event] = proof.up.asset_events("pg2pg", run)
    assert event["name"] == "pg_y.tb_trx_dest"
    assert (event["extra"]["rows_written"], event["extra"]["bytes"]) == (SALES, summary["bytes"])


def test_import_brings_every_source_to_parquet_where_the_run_wants_it(proof: Proof) -> None:
    proof.run("import", {"bucket_name": "single"})
    assert tables(proof.up.project / "single" / "imported_data") == DRUGS_ROWS


def test_process_fails_without_an_import_and_says_so_in_its_log(proof: Proof) -> None:
    run = proof.up.trigger("process", {"bucket_name": "empty"})
    assert proof.up.wait("process", run) == "failed"
    assert "run the pipeline `import` first" in proof.up.log("process", run, "build_graph")


def test_orchestrator_runs_import_then_process(proof: Proof) -> None:
    run = proof.run("orchestrator", {"bucket_name": "both"})
    folder = proof.up.project / "both"
    assert tables(folder / "imported_data") == DRUGS_ROWS
    graph_is_right(folder / "processed_data" / "graph.json")
    runs = {task: f"windlass_triggered__orchestrator.{task}__{run}" for task in ("import", "process")}
    ended = {}
    for task, triggered in runs.items():
        assert proof.up.wait(task, triggered) == "success"
        [ended[task]] = proof.up.tasks(task, triggered).values()
    assert ended["import"]["end_date"] < ended["process"]["start_date"]


def graph_is_right(file: Path) -> None:
    graph = json.loads(file.read_text(encoding="utf-8"))
    kinds = Counter(node["kind"] for node in graph["nodes"])
    assert kinds == DRUGS_NODES
    mentions = {(link["source"], link["target"], link["date"]) for link in graph["links"]}
    assert mentions == IN_ARTICLES | IN_JOURNALS


def test_taxi_downloads_loads_and_checks(proof: Proof) -> None:
    run = proof.run("taxi_csv")
    data = "yellow_tripdata_2021-01.csv"
    original = (ROOT / "examples" / "taxi" / "data" / data).read_bytes()
    loaded = (proof.up.project / "downloads" / data).read_bytes()
    assert hashlib.sha256(loaded).digest() == hashlib.sha256(original).digest()
    ingested = proof.up.xcom("taxi_csv", run, "ingest_task")
    numbers = [ingested[f"rows_{what}"] for what in ("read", "written", "quarantined")]
    assert numbers == [TRIPS + 1, TRIPS, 1]
    assert proof.databases.ask("warehouse", "SELECT count(*) FROM yellow_trips") == [(TRIPS,)]
    shown = proof.up.windlass("quarantine", "show", run, "ingest_task")
    assert f"{TRIPS + 2}: expected 18 fields, found 2 (ragged_row)\n  {CUT_OFF}" in shown.stdout

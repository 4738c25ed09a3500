"""Lineage, as a collector gets it: every event has what OpenLineage requires of it (https://openlineage.io/spec/2-0-2/OpenLineage.json)."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Output
from tests.observers.conftest import Collector

Windlass = Callable[..., Output]

REQUIRED = {
    "ColumnLineageDatasetFacet": {"fields"},
    "DataQualityAssertionsDatasetFacet": {"assertions"},
    "DocumentationJobFacet": {"description"},
    "ErrorMessageRunFacet": {"message", "programmingLanguage"},
    "JobTypeJobFacet": {"processingType", "integration"},
    "NominalTimeRunFacet": {"nominalStartTime"},
    "ParentRunFacet": {"run", "job"},
    "ProcessingEngineRunFacet": {"version"},
    "SQLJobFacet": {"query"},
}
"""What facets must have, beside who made them and by which schema."""

PIPELINE = """
pipeline: p
description: Orders of a day
owner: Ada
schedule: "@daily"
tasks:
  load:
    copy:
      from: {path: "in_{{ ds }}.csv", columns: {id: bigint}}
      to: {connection: shop, table: orders}
      select: {number: {from: id, type: integer}, who: {from: name}}
      on_bad_row: quarantine
  look:
    needs: [load]
    check: {connection: shop, table: orders, unique: [[number]]}
  sum:
    needs: [look]
    sql: {connection: shop, statement: "DELETE FROM orders WHERE number > 10"}
  fails:
    needs: [sum]
    copy: {from: {path: nothing.csv}, to: {path: none.ndjson}}
"""
PATIENT = {"WINDLASS_OBSERVER_WAIT": "120"}


@pytest.fixture
def root(project: Callable[..., Path]) -> Path:
    return project(
        {
            "windlass.yaml": "project: shop\nconnections: {shop: {type: sqlite}}\n",
            "pipelines/p.yaml": PIPELINE,
            "in_2026-03-01.csv": "id,name\n1,Ada\n2,Bob\nx,Eve\n",
            ".env": "WINDLASS_CONN_SHOP=sqlite:///shop.db\n",
        }
    )


def facets(event: Any) -> Iterator[dict[str, Any]]:
    """All of an event."""
    if isinstance(event, dict):
        if "_schemaURL" in event:
            yield event
        for value in event.values():
            yield from facets(value)
    elif isinstance(event, list):
        for value in event:
            yield from facets(value)


def received(collector: Collector) -> list[Any]:
    """The events that were sent, each checked for what it must have."""
    events = [json.loads(body) for body in collector.bodies("/api/v1/lineage")]
    for event in events:
        assert {"eventTime", "producer", "schemaURL", "run", "job"} <= event.keys()
        assert datetime.fromisoformat(event["eventTime"]).tzinfo
        assert event["eventType"] in ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
        assert str(UUID(event["run"]["runId"])) == event["run"]["runId"]
        named = [event["job"], *event.get("inputs", []), *event.get("outputs", [])]
        assert all({"namespace", "name"} <= one.keys() for one in named)
        for facet in facets(event):
            assert facet["_producer"]
            kind = facet["_schemaURL"].rpartition("/")[2]
            assert REQUIRED.get(kind, set()) <= facet.keys(), facet
    return events


def test_a_run_tells_what_came_from_where(root: Path, windlass: Windlass, collector: Collector) -> None:
    env = {"OPENLINEAGE_URL": collector.url, **PATIENT}
    done = windlass("-C", root, "run", "p", "--logical-date", "2026-03-01", env=env)
    assert done.code == 1, done.stderr
    events = received(collector)
    assert [(event["job"]["name"], event["eventType"]) for event in events] == [
        ("p", "START"),
        *((f"p.{task}", end) for task in ("load", "look", "sum") for end in ("START", "COMPLETE")),
        *(("p.fails", "START"), ("p.fails", "FAIL"), ("p", "FAIL")),
    ]
    assert {event["job"]["namespace"] for event in events} == {"shop"}
    runs = {event["job"]["name"]: event["run"]["runId"] for event in events}
    assert len(set(runs.values())) == 5
    for event in events:
        assert event["run"]["runId"] == runs[event["job"]["name"]]
        if event["job"]["name"] != "p":
            parent = event["run"]["facets"]["parent"]
            assert (parent["run"]["runId"], parent["job"]["name"]) == (runs["p"], "p")
    (record,) = windlass("-C", root, "runs", "--json").json
    assert (events[0]["eventTime"], events[-1]["eventTime"]) == (record["started"], record["ended"])
    first, last = events[0], events[-1]
    assert first["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2026-03-01T00:00:00+00:00"
    assert first["job"]["facets"]["documentation"]["description"] == "Orders of a day"
    assert first["job"]["facets"]["ownership"]["owners"][0]["name"] == "Ada"
    assert last["run"]["facets"]["errorMessage"]["message"].startswith("fails: ")

    told = {event["job"]["name"]: event for event in events if event["eventType"] != "START"}
    (source,), (table,) = told["p.load"]["inputs"], told["p.load"]["outputs"]
    assert (source["namespace"], source["name"]) == ("file", str(root / "in_2026-03-01.csv"))
    assert (table["namespace"], table["name"]) == (f"sqlite:{root}/shop.db", "orders")
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 2
    fields = table["facets"]["columnLineage"]["fields"]
    found = {
        name: [
            (f["namespace"], f["name"], f["field"], f["transformations"][0]["subtype"])
            for f in origin["inputFields"]
        ]
        for name, origin in fields.items()
    }
    assert found == {
        "number": [("file", source["name"], "id", "TRANSFORMATION")],
        "who": [("file", source["name"], "name", "IDENTITY")],
    }
    assert [field["name"] for field in table["facets"]["schema"]["fields"]] == ["number", "who"]
    (looked,) = told["p.look"]["inputs"]
    assert looked["name"] == "orders"
    (check,) = looked["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (check["assertion"], check["success"]) == ("number is unique", True)
    assert told["p.sum"]["job"]["facets"]["sql"]["query"].startswith("DELETE FROM orders")


def test_a_task_of_a_scheduler_names_the_run_that_it_belongs_to(
    root: Path, windlass: Windlass, collector: Collector
) -> None:
    parent = {"OPENLINEAGE_PARENT_ID": "airflow/dag.load/f6f3a2a8-6a0f-4d6c-9b0d-8f6d4b9a0d11"}
    env = {"OPENLINEAGE_URL": collector.url, "OPENLINEAGE_NAMESPACE": "etl", **PATIENT}
    env |= {"WINDLASS_RUN_ID": "scheduled__1", "WINDLASS_LOGICAL_DATE": "2026-03-01T00:00:00+00:00"}
    assert windlass("-C", root, "exec", "p", "load", env=env).code == 0
    assert windlass("-C", root, "exec", "p", "load", env={**env, **parent}).code == 0
    assert windlass("-C", root, "exec", "p", "fails", env=env).code != 0
    events = received(collector)
    assert [(event["job"]["name"], event["eventType"]) for event in events] == [
        *(("p.load", "START"), ("p.load", "COMPLETE")) * 2,
        *(("p.fails", "START"), ("p.fails", "FAIL")),
    ]
    assert {event["job"]["namespace"] for event in events} == {"etl"}
    parents = [event["run"]["facets"]["parent"] for event in events]
    named = [(parent["job"]["namespace"], parent["job"]["name"]) for parent in parents]
    assert named == [("etl", "p")] * 2 + [("airflow", "dag.load")] * 2 + [("etl", "p")] * 2
    assert parents[0]["run"] == parents[4]["run"] != parents[2]["run"]
    assert events[-1]["run"]["facets"]["errorMessage"]["message"]


@pytest.mark.parametrize("away", ["nobody answers", "it fails", "switched off"])
def test_a_collector_that_is_away_fails_no_run(
    away: str, root: Path, windlass: Windlass, collector: Collector
) -> None:
    env = {"OPENLINEAGE_URL": collector.url, "WINDLASS_OBSERVER_WAIT": "0.1"}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if away == "nobody answers":
            env["OPENLINEAGE_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        elif away == "it fails":
            collector.status = 400
        else:
            env["OPENLINEAGE_DISABLED"] = "true"
        done = windlass("-C", root, "run", "p", "--task", "load", "--logical-date", "2026-03-01", env=env)
    assert done.code == 0
    told = [json.loads(line) for line in done.stderr.splitlines()]  # nobody else prints anything
    complaints = {line["event"] for line in told if line["level"] == "warning"}
    assert complaints <= {"not_sent", "observer_too_slow"}
    assert bool(complaints) is (away != "switched off")


def test_each_entry_that_a_task_writes_is_a_job_with_tables_of_its_own(
    root: Path, windlass: Windlass, collector: Collector
) -> None:
    (root / "pipelines/each.yaml").write_text(
        "pipeline: each\ntasks:\n  list: {copy: {from: {path: in_2026-03-01.csv}, to: {path: names.csv}}}\n"
        '  load:\n    for_each: {of: list, name: "{{ each.name }}"}\n'
        '    copy: {from: {path: names.csv}, to: {connection: shop, table: "of_{{ each.name }}"}}\n'
    )
    env = {"OPENLINEAGE_URL": collector.url, **PATIENT}
    done = windlass("-C", root, "run", "each", env=env)
    assert (done.code, "observer" in done.stderr) == (0, False), done.stderr
    told = {event["job"]["name"]: event for event in received(collector) if event["eventType"] == "COMPLETE"}
    assert set(told) == {"each", "each.list", *(f"each.load_{name}" for name in ("Ada", "Bob", "Eve"))}
    assert told["each.load_Bob"]["outputs"][0]["name"] == "of_Bob"

"""What tasks do on a real Airflow: services, parameters of a run, copies in parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.airflow.proof import Proof
from tests.examples.expected import SALES
from tests.examples.test_pg2pg import FINGERPRINT


@pytest.mark.parametrize(("answer", "state"), [("quote.json", "success"), ("missing/quote.json", "failed")])
def test_a_service_is_up_while_its_user_runs_and_gone_after_it(proof: Proof, answer: str, state: str) -> None:
    run = proof.up.trigger("quotes", {"answer": answer})
    assert proof.up.wait("quotes", run) == state
    tasks = {name: task["state"] for name, task in proof.up.tasks("quotes", run).items()}
    assert tasks == {"server": "success", "ask": state, "server__stop": "success"}
    address = proof.up.xcom("quotes", run, "server")["address"]
    assert f"asking {address['url']}/quote" in proof.up.log("quotes", run, "ask")
    assert not has_listener(address["port"])
    if state == "success":
        assert json.loads((proof.up.project / answer).read_text())["path"] == "/quote"


def has_listener(port: int) -> bool:
    """Whether somebody listens on the port of the loopback interface."""
    listening = f":{port:04X} 00000000:0000 0A"
    return any(listening in line for line in Path("/proc/net/tcp").read_text().splitlines())


def test_the_parameters_of_a_run_reach_the_copy(proof: Proof) -> None:
    regions = "SELECT region, count(*), min(id) FROM shops_of_region GROUP BY 1"
    proof.run("region")
    assert proof.databases.ask("pg_y", regions) == [("north", 300, 3)]
    proof.run("region", {"region": "south", "first": 101})
    assert proof.databases.ask("pg_y", regions) == [("south", 266, 103)]


def test_a_parameter_of_another_type_is_refused_before_a_run_begins(proof: Proof) -> None:
    proof.up.unpause("region")
    with pytest.raises(AssertionError, match=r"400 .*first"):
        proof.up.trigger("region", {"first": "soon"})


def test_a_copy_in_parts_is_a_task_for_each_and_has_every_row_once(proof: Proof) -> None:
    run = proof.run("split")
    source = proof.databases.ask("pg_x", FINGERPRINT.format("tb_trx_src"))
    assert proof.databases.ask("pg_y", FINGERPRINT.format("tb_trx_split")) == source
    path = f"/dags/split/dagRuns/{quote(run, safe='')}/taskInstances/load__part/listMapped"
    parts = proof.up.call("GET", path)["task_instances"]
    assert sorted(part["map_index"] for part in parts) == [0, 1, 2]
    assert {part["state"] for part in parts} == {"success"}
    assert proof.up.xcom("split", run, "load")["rows_written"] == source[0][0] == SALES

    proof.up.clear("split", run)
    assert proof.up.wait("split", run) == "success"
    assert proof.databases.ask("pg_y", FINGERPRINT.format("tb_trx_split")) == source


def test_entries_that_a_task_writes_are_tasks_with_their_names_and_their_numbers(proof: Proof) -> None:
    run = proof.run("cities")
    instances = mapped(proof, run, "load__each")
    assert {one["rendered_map_index"]: one["state"] for one in instances} == {
        "north": "success",
        "south": "success",
    }
    for region in ("north", "south"):
        count = f"SELECT count(*) FROM shops WHERE region = '{region}'"
        loaded = proof.databases.ask("pg_y", f"SELECT count(*) FROM shops_{region}")
        assert loaded == proof.databases.ask("pg_x", count)
        assert (proof.up.project / f"out/{region}.txt").read_text() == f"{region} of {run}\n"
    assert proof.up.xcom("cities", run, "load")["rows_written"] > 0


@pytest.mark.parametrize(
    ("found", "states"), [("", ("skipped", "success")), ("bad", ("failed", "upstream_failed"))]
)
def test_no_entries_are_done_and_one_that_fails_fails_what_needs_them(
    proof: Proof, found: str, states: tuple[str, str]
) -> None:
    proof.up.unpause("cities")
    run = proof.up.trigger("cities", {"found": found})
    assert proof.up.wait("cities", run) == ("failed" if found else "success")
    tasks = {name: task["state"] for name, task in proof.up.tasks("cities", run).items()}
    assert (tasks["shout__each"], tasks["shout"], tasks["report"]) == (*states, states[1])


def mapped(proof: Proof, run: str, task: str) -> list[dict[str, Any]]:
    path = f"/dags/cities/dagRuns/{quote(run, safe='')}/taskInstances/{task}/listMapped"
    found: list[dict[str, Any]] = proof.up.call("GET", path)["task_instances"]
    return found

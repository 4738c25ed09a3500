"""Runs that the scheduler starts itself: for a table that was written, and for days that have passed."""

from __future__ import annotations

from typing import Any

from tests.airflow.proof import Proof

DAYS = [f"2025-01-{day:02}" for day in range(2, 7)]


def test_a_pipeline_that_waits_for_a_table_follows_its_producer(proof: Proof) -> None:
    proof.up.unpause("follower")
    assert proof.up.runs("follower") == []
    run = proof.run("producer")
    [followed] = proof.up.until(lambda: proof.up.runs("follower"))
    assert followed["run_type"] == "asset_triggered"
    assert proof.up.wait("follower", followed["dag_run_id"]) == "success"
    path = f"/dags/follower/dagRuns/{followed['dag_run_id']}/upstreamAssetEvents"
    [event] = proof.up.call("GET", path)["asset_events"]
    assert (event["source_dag_id"], event["source_run_id"]) == ("producer", run)
    assert proof.databases.ask("pg_y", "SELECT count(*) FROM followed") == [(900,)]


def test_a_backfill_of_five_days_has_each_day_once(proof: Proof) -> None:
    proof.up.unpause("daily")
    runs = backfill(proof)
    assert sorted(run["logical_date"][:10] for run in runs) == DAYS
    assert {run["state"] for run in runs} == {"success"}
    assert every_day(proof) == {"readings_appended": ONCE, "readings_sliced": ONCE}

    proof.up.clear("daily", runs[0]["dag_run_id"])
    assert proof.up.wait("daily", runs[0]["dag_run_id"]) == "success"
    assert every_day(proof) == {"readings_appended": ONCE, "readings_sliced": ONCE}


ONCE = [(day, 24, 24) for day in DAYS]
PER_DAY = """
SELECT to_char(taken_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*), count(DISTINCT id)
FROM {} GROUP BY 1 ORDER BY 1
"""


def every_day(proof: Proof) -> dict[str, list[tuple[Any, ...]]]:
    """The days that each table has, with the number of rows, and of different rows."""
    tables = ("readings_appended", "readings_sliced")
    return {table: proof.databases.ask("pg_y", PER_DAY.format(table)) for table in tables}


def backfill(proof: Proof) -> list[dict[str, Any]]:
    """The runs that a backfill of the days has made; all have ended."""
    body = {
        "dag_id": "daily",
        "from_date": f"{DAYS[0]}T00:00:00Z",
        "to_date": f"{DAYS[-1]}T00:00:00Z",
        "run_backwards": False,
        "max_active_runs": len(DAYS),
    }
    number = proof.up.call("POST", "/backfills", body)["id"]
    proof.up.until(lambda: proof.up.call("GET", f"/backfills/{number}")["completed_at"])
    return [run for run in proof.up.runs("daily") if run["run_type"] == "backfill"]

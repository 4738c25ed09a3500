"""examples/taxi: a download, then an import of a file whose last line is cut off."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.examples.conftest import Example, Windlass
from tests.examples.expected import CUT_OFF, TRIPS, ZONES

Query = Callable[[Path, str, str], list[tuple[Any, ...]]]

FILE = ROOT / "examples" / "taxi" / "data" / "yellow_tripdata_2021-01.csv"


@pytest.fixture(scope="module")
def trips() -> list[dict[str, str]]:
    """The whole rows of the file."""
    with FILE.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["congestion_surcharge"] is not None]


def test_all_but_the_cut_off_row_load(
    windlass: Windlass, example: Example, query: Query, trips: list[dict[str, str]]
) -> None:
    root = example("taxi")
    run = windlass("-C", root, "run", "taxi", "--json")
    assert run.code == 0, run.stderr
    download, ingest, check = run.json["tasks"]
    assert [task["status"] for task in run.json["tasks"]] == ["success"] * 3
    assert (download["path"], download["bytes"]) == ("http", FILE.stat().st_size)
    assert (ingest["rows_read"], ingest["rows_written"], ingest["rows_quarantined"]) == (TRIPS + 1, TRIPS, 1)
    assert check["kind"] == "check"
    assert len(trips) == TRIPS

    digest = hashlib.sha256((root / "downloads" / FILE.name).read_bytes()).hexdigest()
    assert digest == hashlib.sha256(FILE.read_bytes()).hexdigest()
    [(rows, distance, total, first)] = query(
        root,
        "warehouse",
        'SELECT count(*), sum(trip_distance::numeric), sum(total_amount::numeric), min("PULocationID") FROM yellow_trips',
    )
    assert rows == len(trips)
    assert distance == sum(Decimal(trip["trip_distance"]) for trip in trips)
    assert total == sum(Decimal(trip["total_amount"]) for trip in trips)
    assert first == min(int(trip["PULocationID"]) for trip in trips)


def test_the_types_are_those_of_the_values(windlass: Windlass, example: Example, query: Query) -> None:
    root = example("taxi")
    assert windlass("-C", root, "run", "taxi").code == 0
    columns: dict[str, str] = dict(
        query(
            root,
            "warehouse",
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'yellow_trips'",
        )
    )
    assert len(columns) == 18
    assert columns["tpep_pickup_datetime"] == "timestamp without time zone"
    assert columns["passenger_count"] == "bigint"
    assert columns["trip_distance"] == "double precision"
    assert columns["store_and_fwd_flag"] == "text"


def test_the_cut_off_row_is_kept_with_its_reason(windlass: Windlass, example: Example) -> None:
    root = example("taxi")
    run_id = windlass("-C", root, "run", "taxi", "--json").json["run_id"]
    file = root / ".windlass" / "runs" / run_id / "quarantine" / "ingest_task.ndjson"
    [bad] = [json.loads(line) for line in file.read_text().splitlines()]
    assert (bad["reason"], bad["line"], bad["raw"]) == ("ragged_row", TRIPS + 2, CUT_OFF)
    shown = windlass("-C", root, "quarantine", "show", run_id, "ingest_task")
    assert shown.code == 0
    assert f"{TRIPS + 2}: expected 18 fields, found 2 (ragged_row)\n  {CUT_OFF}" in shown.stdout


def test_a_second_run_downloads_nothing_and_loads_no_row_twice(
    windlass: Windlass, example: Example, query: Query
) -> None:
    root = example("taxi")
    assert windlass("-C", root, "run", "taxi").code == 0
    again = windlass("-C", root, "run", "taxi", "--json")
    assert again.code == 0, again.stderr
    assert again.json["tasks"][0]["path"] == "already-there"
    assert query(root, "warehouse", "SELECT count(*) FROM yellow_trips") == [(TRIPS,)]


def test_a_file_that_is_not_the_one_that_was_meant_is_not_loaded(
    windlass: Windlass, example: Example
) -> None:
    root = example("taxi")
    with (root / "data" / FILE.name).open("a") as file:
        file.write("\n")
    done = windlass("-C", root, "run", "taxi", "--json")
    assert done.code == 1
    assert [task["status"] for task in done.json["tasks"]] == ["failed", "upstream_failed", "upstream_failed"]
    assert "the SHA-256 is" in done.json["tasks"][0]["error"]
    assert not (root / "downloads" / FILE.name).exists()


def test_another_file_needs_no_checksum(windlass: Windlass, example: Example, query: Query) -> None:
    root = example("taxi")
    params = ("file=taxi_zone_lookup.csv", "table=zones", "sha256=")
    options = [option for param in params for option in ("--param", param)]
    done = windlass("-C", root, "run", "--task", "curl_task", "--task", "ingest_task", *options)
    assert done.code == 0, done.stdout
    assert query(root, "warehouse", 'SELECT count(*), count(DISTINCT "LocationID") FROM zones') == [
        (ZONES, ZONES)
    ]

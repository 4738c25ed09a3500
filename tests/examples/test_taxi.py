"""examples/taxi: the file of a month and its ingest by a step, and an import of a file whose last line is cut off."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tests.examples.conftest import Example, Windlass
from tests.examples.expected import CUT_OFF, TRIPS, TRIPS_OF_A_MONTH, ZONES
from windlass.runtimes.docker.engine import Engine

Query = Callable[[Path, str, str], list[tuple[Any, ...]]]

DATA = ROOT / "examples" / "taxi" / "data"
FILE = DATA / "yellow_tripdata_2021-01.csv"


@pytest.fixture(scope="module")
def trips() -> list[dict[str, str]]:
    """The whole rows of the file."""
    with FILE.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["congestion_surcharge"] is not None]


# --- a month of trips, and a step that loads it ---

OF_FEBRUARY = "yellow_tripdata_2023-02.parquet"
LOADED = """
SELECT source_file, count(*), sum(total_amount::numeric), count(passenger_count), min(tpep_pickup_datetime),
       count(DISTINCT payment_type), sum(airport_fee)
FROM yellow_taxi_trips GROUP BY 1 ORDER BY 1
"""


def of_month(name: str) -> tuple[Any, ...]:
    """What the query has to say of a file."""
    trips = pq.read_table(DATA / "trip-data" / name)
    columns = {column.lower(): trips[column].to_pylist() for column in trips.column_names}
    return (
        name,
        TRIPS_OF_A_MONTH,
        sum(Decimal(repr(amount)) for amount in columns["total_amount"]),
        sum(count is not None for count in columns["passenger_count"]),
        min(columns["tpep_pickup_datetime"]),
        len(set(columns["payment_type"])),
        sum(columns["airport_fee"]),
    )


def test_each_month_is_there_once_however_often_it_is_loaded(
    windlass: Windlass, example: Example, query: Query
) -> None:
    root = example("taxi")
    for month in ("01", "02", "02"):
        done = windlass("-C", root, "run", "taxi", "--logical-date", f"2024-{month}-02T06:00", "--json")
        assert done.code == 0, done.stderr
    assert [task["status"] for task in done.json["tasks"]] == ["success"] * 3
    assert query(root, "warehouse", LOADED) == [
        of_month(OF_FEBRUARY.replace("-02", "-01")),
        of_month(OF_FEBRUARY),
    ]

    # an error page is not a month, whatever its name and status say; what there was stays
    (root / "data" / "trip-data" / OF_FEBRUARY).write_text("<!DOCTYPE html><title>Sorry</title>")
    page = windlass("-C", root, "run", "taxi", "--logical-date", "2024-02-02T06:00", "--json")
    assert [task["status"] for task in page.json["tasks"]] == ["failed", "upstream_failed", "upstream_failed"]
    assert page.json["tasks"][0]["code"] == "W0610"
    assert "what came is a web page, not a Parquet file" in page.json["tasks"][0]["error"]
    assert [file.name for file in (root / "downloads").glob("*2023-02*")] == [OF_FEBRUARY]


def test_the_step_is_a_container_of_its_own_image(
    windlass: Windlass, example: Example, query: Query, engine: Engine
) -> None:
    root = example("taxi")
    before = {tag for image in engine.client.images("windlass/ingest") for tag in image["RepoTags"]}
    watched = root / "steps" / "ingest" / "ingest.py"
    watched.write_text(watched.read_text().replace("def main() -> None:\n", TELLING))
    run = ("run", "taxi", "--logical-date", "2024-02-02T06:00", "--runtime", "docker", "--json")
    done = windlass("-C", root, *run)
    assert done.code == 0, done.stderr
    assert query(root, "warehouse", LOADED) == [of_month(OF_FEBRUARY)]
    [told] = [json.loads(line)["message"] for line in done.stderr.splitlines() if "mounted: " in line]
    assert told == "mounted: True, password in the arguments: False"
    assert engine.client.containers(all=True, filters={"label": f"windlass.project={root}"}) == []
    for image in engine.client.images("windlass/ingest"):
        for tag in set(image["RepoTags"]) - before:
            engine.client.remove_image(tag)


TELLING = """def main() -> None:
    mounted = Path("/app/data/downloads").is_dir()
    arguments = Path("/proc/1/cmdline").read_text() + Path("/proc/self/cmdline").read_text()
    password = os.environ["DATABASE_URL"].split("@")[0].rpartition(":")[2]
    print(f"mounted: {mounted}, password in the arguments: {password in arguments}")
"""


# --- a file that is cut off ---


def test_all_but_the_cut_off_row_load(
    windlass: Windlass, example: Example, query: Query, trips: list[dict[str, str]]
) -> None:
    root = example("taxi")
    run = windlass("-C", root, "run", "taxi_csv", "--json")
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
    assert windlass("-C", root, "run", "taxi_csv").code == 0
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
    run_id = windlass("-C", root, "run", "taxi_csv", "--json").json["run_id"]
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
    assert windlass("-C", root, "run", "taxi_csv").code == 0
    again = windlass("-C", root, "run", "taxi_csv", "--json")
    assert again.code == 0, again.stderr
    assert again.json["tasks"][0]["path"] == "already-there"
    assert query(root, "warehouse", "SELECT count(*) FROM yellow_trips") == [(TRIPS,)]


def test_a_file_that_is_not_the_one_that_was_meant_is_not_loaded(
    windlass: Windlass, example: Example
) -> None:
    root = example("taxi")
    with (root / "data" / FILE.name).open("a") as file:
        file.write("\n")
    done = windlass("-C", root, "run", "taxi_csv", "--json")
    assert done.code == 1
    assert [task["status"] for task in done.json["tasks"]] == ["failed", "upstream_failed", "upstream_failed"]
    assert "the SHA-256 is" in done.json["tasks"][0]["error"]
    assert not (root / "downloads" / FILE.name).exists()


def test_another_file_needs_no_checksum(windlass: Windlass, example: Example, query: Query) -> None:
    root = example("taxi")
    params = ("file=taxi_zone_lookup.csv", "table=zones", "sha256=")
    options = [option for param in params for option in ("--param", param)]
    done = windlass("-C", root, "run", "taxi_csv", "--task", "curl_task", "--task", "ingest_task", *options)
    assert done.code == 0, done.stdout
    assert query(root, "warehouse", 'SELECT count(*), count(DISTINCT "LocationID") FROM zones') == [
        (ZONES, ZONES)
    ]

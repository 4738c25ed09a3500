"""Parquet in Cloud Storage that BigQuery reads by itself, and what goes through this machine instead."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import server_of
from tests.connectors.gcs_bucket import GcsBucket
from windlass.connections import Address
from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.fields import fields_of
from windlass.engine import Outcome
from windlass.testing import Copier, destination_of, source_of

BY_JOB, THROUGH_HERE = "gcs → load job", "arrow → storage write"
PLAIN = "SELECT 1 AS id, 'a' AS name, 1.50::DECIMAL(10,2) AS price, DATE '2024-01-01' AS day UNION ALL SELECT 2, NULL, NULL, NULL"


class Lake:
    """A bucket, of which the emulator of BigQuery has a copy: a folder on its disk."""

    def __init__(self, bucket: GcsBucket, folder: Path, copier: Copier) -> None:
        self.bucket, self._copy, self._copier = bucket, folder / bucket.name, copier

    def put(self, key: str, select: str, *, is_there: bool = True) -> None:
        """Write a Parquet file of a SELECT of DuckDB; not `is_there`: where BigQuery does not see it."""
        import duckdb

        file = self._copier.folder / "made.parquet"
        with duckdb.connect() as scratch:
            scratch.execute("SET TimeZone = 'UTC'")
            scratch.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet)")
        self.bucket.put(key, file.read_bytes())
        if is_there:
            target = self._copy / key
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())

    def load(self, path: str, *, mode: str = "replace", **options: Any) -> Outcome:
        of_copy = {name: options.pop(name) for name in ("select", "on_bad_row") if name in options}
        source = source_of(connection="lake", path=path)
        return self._copier(
            source, destination_of(connection="bq", table="t", mode=mode, **options), **of_copy
        )


@pytest.fixture
def lake(gcs: Callable[[], GcsBucket], bigquery: Address, copier: Copier) -> Iterator[Lake]:
    bucket, folder = gcs(), Path(server_of("WINDLASS_TEST_BIGQUERY_OBJECTS"))
    copier.addresses |= {"lake": bucket.address, "bq": bigquery}
    yield Lake(bucket, folder, copier)
    shutil.rmtree(folder / bucket.name, ignore_errors=True)


@pytest.fixture
def connection(bigquery: Address) -> Iterator[Connection]:
    with closing(Connection(bigquery)) as opened:
        yield opened


def test_the_same_table_comes_of_it_either_way(lake: Lake, connection: Connection) -> None:
    everything = (
        "SELECT 1 AS id, 2::UINTEGER AS small, true AS ok, 0.5::FLOAT AS half, 0.1::DOUBLE AS ratio, 'é' AS name, "
        "'\\x00\\xFF'::BLOB AS raw, 12.5::DECIMAL(30,9) AS wide, DATE '9999-12-31' AS day, TIME '23:59:59.999999' AS clock, "
        "TIMESTAMP '0001-01-01 00:00:00' AS naive, TIMESTAMPTZ '2024-02-29 01:02:03.000004+00' AS at"
    )
    lake.put("seen.parquet", everything)
    lake.put("hidden.parquet", everything, is_there=False)
    found = []
    for path, way in (("seen.parquet", BY_JOB), ("hidden.parquet", THROUGH_HERE)):
        outcome = lake.load(path)
        assert (outcome.path, outcome.counts.read, outcome.counts.written) == (way, 1, 1)
        table = connection.table(connection.table_name("t"))
        assert table is not None
        found.append(
            ([(f.name, f.sql()) for f in fields_of(table.schema)], connection.rows("SELECT * FROM t"))
        )
        connection.drop(connection.table_name("t"))
    assert found[0] == found[1]
    assert connection.tables() == []


def test_objects_are_appended_once_and_replaced_as_a_whole(lake: Lake, connection: Connection) -> None:
    lake.put("in/a.parquet", PLAIN)
    lake.put("in/b.parquet", PLAIN.replace("1 AS id", "3 AS id").replace("SELECT 2", "SELECT 4"))
    for _ in range(2):
        outcome = lake.load("in/*.parquet")
        assert (outcome.path, outcome.counts.written, outcome.counts.quarantined) == (BY_JOB, 4, 0)
        assert connection.rows("SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert lake.load("in/a.parquet", mode="append").path == BY_JOB
    assert connection.rows("SELECT COUNT(*) FROM t") == [(6,)]
    entries = connection.rows("SELECT rows_read, rows_written FROM _windlass_loads ORDER BY committed_at")
    assert entries == [(4, 4), (4, 4), (2, 2)]


def test_what_needs_a_look_at_values_goes_through_this_machine(lake: Lake, connection: Connection) -> None:
    lake.put("nested.parquet", "SELECT 1 AS id, [1] AS list")
    lake.put("old.parquet", "SELECT 1 AS id, TIMESTAMP '0001-01-01 00:00:00' - INTERVAL 1 YEAR AS at")
    lake.put("day=2024-01-01/a.parquet", "SELECT 1 AS id")
    lake.put("plain.parquet", PLAIN)
    assert lake.load("nested.parquet").path == THROUGH_HERE
    connection.drop(connection.table_name("t"))
    bad = lake.load("old.parquet", on_bad_row="quarantine")
    assert (bad.path, bad.counts.quarantined) == (THROUGH_HERE, 1)
    connection.drop(connection.table_name("t"))
    assert lake.load("day=2024-01-01/").path == THROUGH_HERE
    connection.drop(connection.table_name("t"))
    assert lake.load("plain.parquet", mode="merge", key=["id"]).path == THROUGH_HERE
    connection.drop(connection.table_name("t"))
    connection.run("CREATE TABLE t (id STRING, name STRING, price NUMERIC, day DATE)")
    assert lake.load("plain.parquet").path == THROUGH_HERE
    assert connection.rows("SELECT id FROM t ORDER BY id") == [("1",), ("2",)]

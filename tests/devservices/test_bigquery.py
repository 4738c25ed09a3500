"""The dev service of BigQuery: `bqemulator` on the PATH; and datasets of their own on an emulator."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from windlass.connections import Address, parse_address
from windlass.connectors.bigquery.client import Connection as Bigquery
from windlass.connectors.bigquery.fresh import fresh
from windlass.connectors.bigquery.opening import connect
from windlass.devservices import DevServices
from windlass.errors import FatalError
from windlass.plan.model import Connection
from windlass.testing import Copier, destination_of, source_of


@pytest.mark.skipif(shutil.which("bqemulator") is None, reason="bqemulator is not on the PATH")
def test_it_has_what_the_init_files_have_made(tmp_path: Path) -> None:
    (tmp_path / "seed.sql").write_text("CREATE TABLE t (id INT64); INSERT INTO t (id) VALUES (1);")
    services = DevServices(tmp_path / "state", tmp_path)
    try:
        connection = Connection(type="bigquery", dev={"init": ["seed.sql"]})
        address = services.start("ware-house", connection)
        assert (address.host, address.database) == ("dev", "ware_house")
        with closing(Bigquery(address)) as opened:
            assert opened.rows("SELECT id FROM t") == [(1,)]
        assert services.start("ware-house", connection) == address
    finally:
        services.close()


def test_without_it_a_file_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "seed.sql").write_text("CREATE TABLE t (id BIGINT); INSERT INTO t VALUES (7);")
    services = DevServices(tmp_path / "state", tmp_path)
    try:
        connection = Connection(type="bigquery", dev={"init": ["seed.sql"]})
        address = services.start("warehouse", connection)
        assert services.start("warehouse", connection) == address
    finally:
        services.close()
    copier = Copier(tmp_path)
    copier.addresses["bq"] = parse_address(address.uri(), "a test", "bigquery")
    wanted = destination_of(connection="bq", table="u", partition={"by": "id"}, cluster=["id"])
    assert copier(source_of(connection="bq", table="t"), wanted).counts.written == 1
    with closing(connect(copier.addresses["bq"])) as database:
        assert database.query("SELECT id FROM u").rows == ((7,),)
        with pytest.raises(FatalError) as error:
            database.query("SELECT SAFE_DIVIDE(1, 0) AS `x`")
        assert "bqemulator on the PATH" in str(error.value)
        with fresh(copier.addresses["bq"], "case_1") as own, closing(connect(own)) as other:
            other.execute("DELETE FROM t")
        assert database.query("SELECT id FROM t").rows == ((7,),)


def test_a_case_has_a_dataset_of_its_own(bigquery: Address) -> None:
    with closing(Bigquery(bigquery)) as opened:
        opened.run("CREATE TABLE t (id INT64 NOT NULL, s STRUCT<x INT64>, l ARRAY<STRING>)")
        opened.run("INSERT INTO t (id, s, l) VALUES (1, STRUCT(2 AS x), ['a'])")
        with fresh(bigquery, f"{bigquery.database}_case") as address, closing(Bigquery(address)) as own:
            own.run("INSERT INTO t (id) VALUES (2)")
            assert own.rows("SELECT id, s, l FROM t ORDER BY id") == [(1, {"x": 2}, ["a"]), (2, None, [])]
        assert opened.rows("SELECT id FROM t") == [(1,)]
        found = [dataset.dataset_id for dataset in opened.client.list_datasets(timeout=60)]
        assert f"{bigquery.database}_case" not in found

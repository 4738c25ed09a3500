"""The dev service of BigQuery: `bqemulator` on the PATH; and datasets of their own on an emulator."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from windlass.connections import Address
from windlass.connectors.bigquery.client import Connection as Bigquery
from windlass.connectors.bigquery.fresh import fresh
from windlass.devservices import DevServices
from windlass.errors import Code, FatalError
from windlass.plan.model import Connection


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


def test_without_it_the_ways_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    services = DevServices(tmp_path / "state", tmp_path)
    with pytest.raises(FatalError, match="bqemulator: not on the PATH") as error:
        services.start("warehouse", Connection(type="bigquery"))
    assert error.value.code is Code.DEV_SERVICE
    assert error.value.hint == "install it, or set WINDLASS_CONN_WAREHOUSE=bigquery://…"
    services.close()


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

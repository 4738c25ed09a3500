"""What tables and files are called in lineage. No secret is ever part of a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.observers.openlineage.naming import Named, Names
from windlass.plan.model import Action, Check, Connection, Copy, Destination, Download, Source

FOLDER = Path("/work/shop")
CSV = Source(options={"path": "a.csv"})


def names(kind: str, settings: dict[str, object] | None = None) -> Names:
    return Names({"there": Connection(type=kind, form="server", settings=settings or {})}, FOLDER, FOLDER)


def rows(kind: str, key: str, place: str) -> Destination:
    return Destination(connection="there", type=kind, options={key: place})


@pytest.mark.parametrize(
    ("address", "destination", "named"),
    [
        (
            "postgresql://me:hunter2@db:6432/sales?sslmode=require",
            rows("postgres", "table", "mart.orders"),
            Named("postgres://db:6432", "sales.mart.orders"),
        ),
        (
            "postgres://me:hunter2@db/sales",
            rows("postgres", "table", "orders"),
            Named("postgres://db:5432", "sales.public.orders"),
        ),
        (
            "postgres://me:hunter2@[::1]/sales",
            rows("postgres", "table", "orders"),
            Named("postgres://[::1]:5432", "sales.public.orders"),
        ),
        (
            "mongodb://me:hunter2@a:1,b:2/shop?replicaSet=r",
            rows("mongodb", "collection", "orders"),
            Named("mongodb://a:1,b:2", "shop.orders"),
        ),
        (
            "influxdb://me:hunter2@metrics/weather",
            rows("influxdb", "measurement", "temperature"),
            Named("influxdb://metrics:8086", "weather.temperature"),
        ),
        (
            "sqlite:///shop.db",
            rows("sqlite", "table", "orders"),
            Named("sqlite:/work/shop/shop.db", "orders"),
        ),
        ("duckdb:////data/x.duckdb", rows("duckdb", "table", "t"), Named("duckdb:/data/x.duckdb", "t")),
        (None, rows("postgres", "table", "orders"), Named("postgres://there", "orders")),
    ],
)
def test_a_table_has_the_name_that_others_give_it(
    address: str | None, destination: Destination, named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    if address is not None:
        monkeypatch.setenv("WINDLASS_CONN_THERE", address)
    action = Copy(source=CSV, destination=destination)
    assert names(destination.type).written(action) == [named]
    back = Copy(
        source=Source(connection="there", type=destination.type, options=destination.options),
        destination=Destination(options={"path": "out.csv"}),
    )
    assert names(destination.type).read(back) == [named]
    assert names(destination.type).written(back) == [Named("file", "/work/shop/out.csv")]


@pytest.mark.parametrize(
    ("action", "named"),
    [
        (
            Download(url="https://me:hunter2@host:8443/a/b.csv?key=hunter2", to="raw/b.csv"),
            ("https://host:8443", "/a/b.csv"),
        ),
        (
            Download(connection="there", path="v1/rates", to="raw/b.csv"),
            ("https://api.example.org", "/base/v1/rates"),
        ),
        (
            Copy(
                source=Source(connection="there", type="http", options={"path": "/v1/rates"}),
                destination=Destination(options={"path": "s3://lake/raw/rates.parquet"}),
            ),
            ("https://api.example.org", "/base/v1/rates"),
        ),
        (Check(path="/abs/a.csv"), ("file", "/abs/a.csv")),
        (Check(source=Source(options={"path": "gs://lake/a/*.csv"})), ("gs://lake", "a/*.csv")),
    ],
)
def test_pages_and_objects_are_named_by_where_they_are(
    action: Action, named: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDLASS_CONN_THERE", "https://me:hunter2@api.example.org/base?key=hunter2")
    assert names("http").read(action) == [named]
    expected = {"Download": ("file", "/work/shop/raw/b.csv"), "Copy": ("s3://lake", "raw/rates.parquet")}
    written = names("http").written(action)
    assert written == [found for kind, found in expected.items() if kind == type(action).__name__]


def test_what_no_name_is_known_of_is_left_out() -> None:
    query = Source(connection="there", type="postgres", options={"query": "SELECT 1"})
    copy = Copy(source=query, destination=Destination(options={"path": "out.csv"}))
    assert names("postgres").read(copy) == []
    assert names("postgres").read(Check(connection="there", query="SELECT 1")) == []


def test_the_parent_of_an_api_is_read_too() -> None:
    parent = {"path": "ids.txt", "as": "id"}
    source = Source(connection="there", type="http", options={"path": "/v1/{id}", "parent": parent})
    copy = Copy(source=source, destination=Destination(options={"path": "out.csv"}))
    assert [named.name for named in names("http", {"base_url": "https://x.org"}).read(copy)] == [
        "/v1/{id}",
        "/work/shop/ids.txt",
    ]

"""MongoDB's own: its types both ways, what it refuses, its indexes, and addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex
from bson.datetime_ms import DatetimeMS
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from windlass.connections import Address
from windlass.errors import FatalError, RetryableError
from windlass.plan.model import Incremental, SelectColumn
from windlass.testing import Copier, destination_of, source_of

Db = Database[dict[str, Any]]

_ID = ObjectId("65a1b2c3d4e5f60718293a4b")
_UUID = UUID("12345678-1234-5678-1234-567812345678")


@pytest.fixture
def db(mongodb: Address, copier: Copier) -> Iterator[Db]:
    """A new database, to which the connection `m` leads."""
    copier.addresses["m"] = mongodb
    with MongoClient[dict[str, Any]](mongodb.uri()) as client:
        yield client[mongodb.database]


@pytest.fixture
def read(copier: Copier, db: Db) -> Callable[..., list[tuple[Any, ...]]]:
    """Reads documents into a table of DuckDB, and returns its types and rows."""

    def call(*documents: dict[str, Any], on_bad_row: str = "fail", **options: Any) -> list[tuple[Any, ...]]:
        db.source.drop()
        db.source.insert_many(list(documents))
        source = source_of(connection="m", collection="source", projection={"_id": 0}, **options)
        copier(source, destination_of(connection="duckdb", table="t"), on_bad_row=on_bad_row)
        with duckdb.connect(copier.addresses["duckdb"].database) as file:
            types = tuple(row[1] for row in file.execute("DESCRIBE t").fetchall())
            rows = file.execute("FROM t").fetchall()
            file.execute("DROP TABLE t")
        return [types, *rows]

    return call


@pytest.fixture
def write(copier: Copier, db: Db) -> Callable[..., list[dict[str, Any]]]:
    """Writes what a SELECT of DuckDB returns, and returns the documents without their ids."""

    def call(select: str, *, on_bad_row: str = "fail", **options: Any) -> list[dict[str, Any]]:
        with duckdb.connect(copier.addresses["duckdb"].database):
            pass
        copier(
            source_of(connection="duckdb", query=select),
            destination_of(connection="m", collection="target", **options),
            on_bad_row=on_bad_row,
        )
        return [{k: v for k, v in found.items() if k != "_id"} for found in db.target.find()]

    return call


# --- types -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "read_as"),
    [
        ([True, None], "BOOLEAN", [True, None]),
        ([1, Int64(2**62)], "BIGINT", [1, 2**62]),
        ([1, 1.5], "DOUBLE", [1.0, 1.5]),
        ([Int64(2), 1.5], "DOUBLE", [2.0, 1.5]),
        ([Int64(2**53 + 1), 1.5], "VARCHAR", ["9007199254740993", "1.5"]),
        ([float("inf")], "DOUBLE", [float("inf")]),
        ([Decimal128("1.10"), Decimal128("-2")], "DECIMAL(38,2)", [Decimal("1.10"), Decimal("-2.00")]),
        ([Decimal128("0.1"), 7], "DECIMAL(38,1)", [Decimal("0.1"), Decimal("7.0")]),
        ([Decimal128("1E+3")], "DECIMAL(38,0)", [Decimal(1000)]),
        ([Decimal128("1E+30"), Decimal128("1E-20")], "VARCHAR", ["1E+30", "1E-20"]),
        (["a", None], "VARCHAR", ["a", None]),
        (["007"], "VARCHAR", ["007"]),
        (["2020-01-01"], "VARCHAR", ["2020-01-01"]),
        ([_ID], "VARCHAR", [str(_ID)]),
        ([Binary(_UUID.bytes, 4)], "UUID", [_UUID]),
        ([b"\x00\xff", Binary(b"x", 128)], "BLOB", [b"\x00\xff", b"x"]),
        ([{"a": [1, {"b": None}]}, [2]], "JSON", ['{"a": [1, {"b": null}]}', "[2]"]),
        (
            [{"d": datetime(2020, 1, 1), "n": Decimal128("1.0")}],
            "JSON",
            ['{"d": {"$date": "2020-01-01T00:00:00Z"}, "n": {"$numberDecimal": "1.0"}}'],
        ),
        ([{"o": _ID}], "JSON", [f'{{"o": {{"$oid": "{_ID}"}}}}']),
        ([1, "1", True, _ID], "VARCHAR", ["1", "1", "true", str(_ID)]),
        ([datetime(2020, 1, 1, 2, 3, 4, 5000), "x"], "VARCHAR", ["2020-01-01T02:03:04.005Z", "x"]),
        ([Regex("^a", "i")], "VARCHAR", ['{"$regularExpression": {"pattern": "^a", "options": "i"}}']),
        ([None], "VARCHAR", [None]),
    ],
    ids=repr,
)
def test_each_type_is_read_as_what_it_is(
    read: Callable[..., Any], values: list[Any], kind: str, read_as: list[Any]
) -> None:
    assert read(*({"v": value} for value in values)) == [(kind,), *((value,) for value in read_as)]


def test_dates_are_read_as_times_in_utc(read: Callable[..., Any]) -> None:
    types, *rows = read(
        {"v": datetime(1969, 12, 31, 23, 59, 59, 999000)}, {"v": DatetimeMS(-62_135_596_800_001)}
    )
    assert types == ("TIMESTAMP WITH TIME ZONE",)
    assert rows[0][0].astimezone(UTC) == datetime(1969, 12, 31, 23, 59, 59, 999000, UTC)


@pytest.mark.parametrize("odd", [Decimal128("NaN"), Decimal128("Infinity"), DatetimeMS(2**62)], ids=repr)
def test_a_value_that_no_column_of_its_kind_holds_is_a_bad_row(
    read: Callable[..., Any], copier: Copier, odd: Any
) -> None:
    good = Decimal128("1.5") if isinstance(odd, Decimal128) else datetime(2020, 1, 1)
    types, *rows = read({"v": good}, {"v": odd}, on_bad_row="quarantine")
    assert types[0].startswith(("DECIMAL", "TIMESTAMP"))
    assert len(rows) == 1
    assert [bad["column"] for bad in copier.quarantined] == ["v"]


def test_nan_is_a_double(read: Callable[..., Any]) -> None:
    types, (value,) = read({"v": float("nan")})
    assert types == ("DOUBLE",)
    assert value != value  # noqa: PLR0124 - which NaN is


def test_a_missing_field_is_null(read: Callable[..., Any]) -> None:
    assert read({"a": 1}, {"b": "x"}, {}) == [("BIGINT", "VARCHAR"), (1, None), (None, "x"), (None, None)]


def test_documents_without_any_field_are_not_lost_silently(read: Callable[..., Any]) -> None:
    with pytest.raises(FatalError, match="no document has a field"):
        read({}, {})


def test_names_that_differ_only_in_case_are_refused(read: Callable[..., Any]) -> None:
    with pytest.raises(FatalError, match=r"'a', 'A' differ only in case"):
        read({"a": 1, "A": 2})


def test_each_type_is_written_as_what_it_is(write: Callable[..., Any], db: Db) -> None:
    select = """SELECT true AS bool, 7::INTEGER AS int, 7::BIGINT AS long, 1.50::DECIMAL(9,2) AS dec, 0.1::DOUBLE AS dbl,
        'nan'::DOUBLE AS nan, 'a' || chr(0) AS txt, '\\x00\\xff'::BLOB AS bin, DATE '2020-02-29' AS day,
        TIMESTAMP '2020-01-01 02:03:04.005' AS at, TIMESTAMPTZ '2020-01-01 02:03:04+02' AS atz, TIME '10:00:00' AS time,
        '{"b": [1, 1.5, {"$oid": "65a1b2c3d4e5f60718293a4b"}], "a": 12345678901234567890}'::JSON AS json,
        '12345678-1234-5678-1234-567812345678'::UUID AS uuid, NULL::INTEGER AS none, [1, 2] AS list,
        {'x': 1, 'y': ['z']} AS struct, 340282366920938463463374607431768211455::UHUGEINT % 1000 AS huge"""
    (found,) = write(select)
    assert type(db.target.find_one({}, {"long": 1})["long"]) is Int64  # type: ignore[index]
    assert found.pop("nan") != 0
    assert found == {
        "bool": True,
        "int": 7,
        "long": 7,
        "dec": Decimal128("1.50"),
        "dbl": 0.1,
        "txt": "a\0",
        "bin": b"\x00\xff",
        "day": datetime(2020, 2, 29),
        "at": datetime(2020, 1, 1, 2, 3, 4, 5000),
        "atz": datetime(2020, 1, 1, 0, 3, 4),
        "time": "10:00:00",
        "json": {"b": [1, 1.5, _ID], "a": Decimal128("12345678901234567890")},
        "uuid": Binary(_UUID.bytes, 4),
        "none": None,
        "list": [1, 2],
        "struct": {"x": 1, "y": ["z"]},
        "huge": Decimal128("455"),
    }


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("12345678901234567890123456789012345.67::DECIMAL(38,2)", "loses_precision"),
        ("TIMESTAMP '2020-01-01 00:00:00.000001'", "loses_precision"),
        ("TIMESTAMPTZ '2020-01-01 00:00:00.999999+00'", "loses_precision"),
        ("TIMESTAMP 'infinity'", "out_of_range"),
        ("""'{"a": 1, "a": 2}'::JSON""", "duplicate_name"),
        ("""'{"a\\u0000b": 1}'::JSON""", "nul_in_text"),
        ("""'{"$oid": "x"}'::JSON""", "malformed_json"),
    ],
)
def test_a_value_without_a_place_is_quarantined_and_the_others_stay(
    write: Callable[..., Any], copier: Copier, bad: str, reason: str
) -> None:
    found = write(f"SELECT 1 AS id, {bad} AS v UNION ALL SELECT 2, NULL ORDER BY id", on_bad_row="quarantine")
    assert found == [{"id": 2, "v": None}]
    assert [(row["reason"], row["record"]["id"]) for row in copier.quarantined] == [(reason, 1)]


def test_a_document_that_is_too_large_is_quarantined(write: Callable[..., Any], copier: Copier) -> None:
    found = write(
        "SELECT i AS id, CASE i WHEN 1 THEN repeat('x', 17000000) END AS v FROM range(3) AS t(i) ORDER BY i",
        on_bad_row="quarantine",
    )
    assert [row["id"] for row in found] == [0, 2]
    assert [(row["reason"], row["record"]["id"]) for row in copier.quarantined] == [("too_long", 1)]


@pytest.mark.parametrize(
    ("microseconds", "stored"),
    [("drop", datetime(2020, 1, 1, 0, 0, 0, 123000)), ("text", "2020-01-01T00:00:00.123456")],
)
def test_microseconds_are_dropped_or_kept_as_text_where_that_is_said(
    write: Callable[..., Any], microseconds: str, stored: object
) -> None:
    assert write("SELECT TIMESTAMP '2020-01-01 00:00:00.123456' AS at", microseconds=microseconds) == [
        {"at": stored}
    ]


@pytest.mark.parametrize("day", ["0044-03-15 (BC)", "9999-12-31", "12000-01-01"])
def test_dates_of_all_years_are_kept(copier: Copier, db: Db, day: str) -> None:
    with duckdb.connect(copier.addresses["duckdb"].database) as file:
        file.execute(f"CREATE TABLE days AS SELECT DATE '{day}' AS day")
    to = destination_of(connection="m", collection="target")
    copier(source_of(connection="duckdb", table="days"), to)
    copier(source_of(connection="m", collection="target"), destination_of(connection="duckdb", table="back"))
    with duckdb.connect(copier.addresses["duckdb"].database) as file:
        assert file.execute(f"SELECT CAST(day AS DATE) = DATE '{day}' FROM back").fetchall() == [(True,)]


def test_a_collection_is_copied_with_its_object_ids_and_what_is_nested(copier: Copier, db: Db) -> None:
    documents: list[dict[str, Any]] = [
        {
            "_id": ObjectId(),
            "by": _ID,
            "nested": {"at": datetime(2020, 1, 1), "n": [Decimal128("1.0"), b"x"]},
        },
        {"_id": ObjectId(), "by": None, "nested": {}},
    ]
    db.source.insert_many(documents)
    to = destination_of(connection="m", collection="target", object_ids=["_id", "by"])
    copier(source_of(connection="m", collection="source"), to)
    assert list(db.target.find()) == documents


def test_text_becomes_what_its_field_is_already(copier: Copier, db: Db) -> None:
    db.target.insert_one({"at": datetime(2020, 1, 1), "by": _ID, "zip": "01234", "n": 1, "ok": True})
    other = str(ObjectId())
    (copier.folder / "in.csv").write_text(
        f"at,by,zip,n,ok\n2020-05-01,{other},12345,1.5,false\nsoon,x,1,2,maybe\n"
    )
    to = destination_of(connection="m", collection="target", mode="append")
    copier(source_of(path="in.csv"), to, on_bad_row="quarantine")
    found = db.target.find_one({"zip": "12345"}, {"_id": 0})
    assert found == {"at": datetime(2020, 5, 1), "by": ObjectId(other), "zip": "12345", "n": 1.5, "ok": False}
    assert [(bad["reason"], bad["column"]) for bad in copier.quarantined] == [("type_mismatch", "at")]


def test_a_type_that_was_asked_for_is_kept(copier: Copier, db: Db) -> None:
    db.target.insert_one({"at": datetime(2020, 1, 1)})
    (copier.folder / "in.csv").write_text("at\n2020-05-01\n")
    to = destination_of(connection="m", collection="target", mode="append")
    copier(source_of(path="in.csv"), to, select=(SelectColumn(name="at", source="at", type="text"),))
    assert db.target.find_one({"at": "2020-05-01"}) is not None


@pytest.mark.parametrize("name", ["a.b", "$a"])
def test_a_column_that_cannot_be_a_field_is_named(write: Callable[..., Any], name: str) -> None:
    with pytest.raises(FatalError, match="cannot be called"):
        write(f'SELECT 1 AS "{name}"')


# --- what a collection has and refuses ----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["append", "merge", "delete_insert"])
def test_a_unique_key_that_is_taken_is_a_bad_row(copier: Copier, db: Db, mode: str) -> None:
    day = datetime(2020, 6, 1)
    db.target.insert_many(
        [
            {"_id": 1, "id": 1, "mail": "a", "day": day + timedelta(40)},
            {"_id": 2, "id": 2, "mail": "b", "day": day},
        ]
    )
    db.target.create_index("mail", unique=True)
    db.target.create_index("id")
    (copier.folder / "in.csv").write_text(
        "id,mail,day\n3,a,2020-06-02\n4,c,2020-06-02\n5,c,2020-06-02\n2,b,2020-06-02\n"
    )
    needed: dict[str, dict[str, Any]] = {"merge": {"key": ["id"]}, "delete_insert": {"interval": "day"}}
    june = (datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC))
    to = destination_of(connection="m", collection="target", mode=mode, **needed.get(mode, {}))
    copier(source_of(path="in.csv"), to, on_bad_row="quarantine", interval=june)
    bad = {int(row["record"]["id"]) for row in copier.quarantined}
    assert {row["reason"] for row in copier.quarantined} == {"unique_violation"}
    assert bad == ({2, 3, 5} if mode == "append" else {3, 5})
    assert sorted(found["mail"] for found in db.target.find()) == ["a", "b", "c"]


def test_an_id_of_the_rows_own_is_kept_and_not_taken_twice(copier: Copier, db: Db) -> None:
    (copier.folder / "in.csv").write_text("_id,v\n1,a\n2,b\n,c\n")
    to = destination_of(connection="m", collection="target", mode="append")
    copier(source_of(path="in.csv"), to, on_bad_row="quarantine")
    assert [bad["reason"] for bad in copier.quarantined] == ["is_null"]
    (copier.folder / "in.csv").write_text("_id,v\n2,x\n3,c\n")
    copier(source_of(path="in.csv"), to, on_bad_row="quarantine")
    assert [bad["reason"] for bad in copier.quarantined] == ["unique_violation"]
    assert {found["_id"]: found["v"] for found in db.target.find()} == {1: "a", 2: "b", 3: "c"}


def test_a_merge_by_id_needs_no_other_index(copier: Copier, db: Db) -> None:
    db.target.insert_one({"_id": 1, "v": "old", "kept": True})
    (copier.folder / "in.csv").write_text("_id,v\n1,new\n2,b\n")
    to = destination_of(connection="m", collection="target", mode="merge", key=["_id"])
    counts = copier(source_of(path="in.csv"), to).counts
    assert (counts.inserted, counts.updated) == (1, 1)
    assert list(db.target.find()) == [{"_id": 1, "v": "new", "kept": True}, {"_id": 2, "v": "b"}]


def test_an_id_that_a_merge_would_change_is_a_bad_row(copier: Copier, db: Db) -> None:
    db.target.insert_one({"_id": 1, "k": "a"})
    (copier.folder / "in.csv").write_text("_id,k\n7,a\n8,b\n")
    to = destination_of(connection="m", collection="target", mode="merge", key=["k"])
    copier(source_of(path="in.csv"), to, on_bad_row="quarantine")
    assert [bad["reason"] for bad in copier.quarantined] == ["refused_by_destination"]
    assert [found["_id"] for found in db.target.find()] == [1, 8]


def test_a_merge_changes_only_the_fields_that_it_brings(copier: Copier, db: Db) -> None:
    db.target.insert_one({"_id": 1, "k": 1, "v": "old", "count": 0})

    def meanwhile(rows: int, size: int) -> None:
        db.target.update_one({"_id": 1}, {"$inc": {"count": 1}})

    (copier.folder / "in.csv").write_text("k,v\n1,new\n")
    to = destination_of(connection="m", collection="target", mode="merge", key=["k"])
    copier(source_of(path="in.csv"), to, meter=meanwhile)
    assert db.target.find_one() == {"_id": 1, "k": 1, "v": "new", "count": 1}


def test_a_collection_that_a_merge_makes_has_a_unique_key(copier: Copier, db: Db) -> None:
    (copier.folder / "in.csv").write_text("k,v\n1,a\n")
    copier(
        source_of(path="in.csv"), destination_of(connection="m", collection="target", mode="merge", key=["k"])
    )
    indexes = db.target.index_information().values()
    assert [(index["key"], index["unique"]) for index in indexes if index.get("unique")] == [
        ([("k", 1)], True)
    ]


def test_replace_keeps_the_indexes(copier: Copier, db: Db) -> None:
    db.target.insert_one({"k": 1})
    db.target.create_index([("k", 1), ("v", -1)], name="both", unique=True)
    db.target.create_index("v", name="single")
    (copier.folder / "in.csv").write_text("k,v\n1,a\n1,a\n")
    to = destination_of(connection="m", collection="target")
    copier(source_of(path="in.csv"), to, on_bad_row="quarantine")
    found = {name: index["key"] for name, index in db.target.index_information().items()}
    assert found == {"_id_": [("_id", 1)], "both": [("k", 1), ("v", -1)], "single": [("v", 1)]}
    assert [bad["reason"] for bad in copier.quarantined] == ["unique_violation"]


def test_a_document_that_is_refused_after_the_commit_waits_and_is_not_lost(copier: Copier, db: Db) -> None:
    db.target.insert_one({"_id": 0, "mail": "z"})
    db.target.create_index("mail", unique=True)
    (copier.folder / "in.csv").write_text("mail\na\nb\n")
    (copier.folder / "later.csv").write_text("mail\nc\n")
    to = destination_of(connection="m", collection="target", mode="append")

    def meanwhile(rows: int, size: int) -> None:
        db.target.insert_one({"_id": 1, "mail": "a"})

    with pytest.raises(FatalError, match=r"refuses 1 of them:(\n.*)*_windlass_stage_"):
        copier(source_of(path="in.csv"), to, run_key="one", meter=meanwhile)
    assert sorted(found["mail"] for found in db.target.find()) == ["a", "b", "z"]
    with pytest.raises(FatalError, match="refuses 1 of them"):
        copier(source_of(path="later.csv"), to)
    db.target.delete_one({"_id": 1})
    copier(source_of(path="later.csv"), to)
    assert sorted(found["mail"] for found in db.target.find()) == ["a", "b", "c", "z"]
    assert copier(source_of(path="in.csv"), to, run_key="one").skipped
    assert [name for name in db.list_collection_names() if "stage" in name] == []


@pytest.mark.parametrize("lost", ["answer", "request", "connection"])
def test_a_commit_whose_answer_is_lost_is_settled(
    copier: Copier, db: Db, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    db.target.insert_one({"v": "old"})
    (copier.folder / "in.csv").write_text("v\na\nb\n")
    (copier.folder / "later.csv").write_text("v\nc\n")
    to = destination_of(connection="m", collection="target", mode="append")
    update, find = Collection.update_one, Collection.find_one

    def losing(self: Any, filter_: Any, change: Any, **options: Any) -> Any:
        if "committed" not in change.get("$set", {}):
            return update(self, filter_, change, **options)
        if lost != "request":
            update(self, filter_, change, **options)
        if lost == "connection":
            monkeypatch.setattr(Collection, "find_one", _gone)
        raise AutoReconnect("connection closed")

    monkeypatch.setattr(Collection, "update_one", losing)
    if lost == "answer":
        assert copier(source_of(path="in.csv"), to, run_key="one").counts.written == 2
    else:
        with pytest.raises(RetryableError, match="lost the connection"):
            copier(source_of(path="in.csv"), to, run_key="one")
    monkeypatch.setattr(Collection, "update_one", update)
    monkeypatch.setattr(Collection, "find_one", find)
    copier(source_of(path="later.csv"), to)
    expected = {"request": ["c", "old"]}.get(lost, ["a", "b", "c", "old"])
    assert sorted(found["v"] for found in db.target.find()) == expected
    assert copier(source_of(path="in.csv"), to, run_key="one").skipped == (lost != "request")
    assert sorted(found["v"] for found in db.target.find()) == ["a", "b", "c", "old"]
    assert [name for name in db.list_collection_names() if "stage" in name] == []


def _gone(*_: Any, **__: Any) -> Any:
    raise AutoReconnect("connection refused")


def test_the_same_load_makes_the_same_ids(copier: Copier, db: Db) -> None:
    (copier.folder / "in.csv").write_text("v\na\nb\n")
    found = []
    for key in ("one", "one", "two"):
        copier(source_of(path="in.csv"), destination_of(connection="m", collection="target"), run_key=key)
        found.append([document["_id"] for document in db.target.find()])
    assert found[0] == found[1] != found[2]


# --- reading ------------------------------------------------------------------------------------------


def test_a_filter_and_a_projection_choose(copier: Copier, db: Db) -> None:
    db.source.insert_many([{"_id": i, "at": datetime(2020, 1, i), "secret": "x", "v": i} for i in (1, 2, 3)])
    source = source_of(
        connection="m",
        collection="source",
        filter={"at": {"$gte": {"$date": "2020-01-02T00:00:00Z"}}, "v": {"$ne": 3}},
        projection={"secret": 0, "at": 0},
    )
    copier(source, destination_of(path="o.csv"))
    assert (copier.folder / "o.csv").read_text().split() == ["_id,v", "2,2"]


def test_a_filter_that_makes_no_sense_is_explained(copier: Copier, db: Db) -> None:
    db.source.insert_one({})
    for filter_, said in (
        ({"at": {"$date": "soon"}}, "`filter` is not valid"),
        ({"a": {"$nope": 1}}, "nope"),
    ):
        source = source_of(connection="m", collection="source", filter=filter_)
        with pytest.raises(FatalError, match=said):
            copier(source, destination_of(path="o.csv"))


@pytest.mark.parametrize("kind", ["date", "number", "decimal", "objectid", "text"])
def test_an_incremental_copy_reads_what_is_new_and_late_and_no_more(
    copier: Copier, db: Db, kind: str
) -> None:
    made: dict[str, Callable[[int], Any]] = {
        "date": lambda n: datetime(2020, 1, 1) + timedelta(minutes=n),
        "number": lambda n: n,
        "decimal": lambda n: Decimal128(f"{n}.5"),
        "objectid": lambda n: ObjectId(f"{n:024x}"),
        "text": lambda n: f"{n:05}",
    }
    of = made[kind]
    lookback: Any = {"date": "10m", "number": 10, "decimal": 10}.get(kind)
    db.source.insert_many([{"_id": n, "c": of(n)} for n in range(100, 120)])
    source = source_of(connection="m", collection="source")
    to = destination_of(connection="sqlite", table="t", mode="append")

    def copied() -> int:
        return copier(source, to, incremental=Incremental(cursor="c", lookback=lookback)).counts.read

    assert copied() == 20
    assert copied() == 0
    db.source.insert_many([{"_id": 200, "c": of(119)}, {"_id": 201, "c": of(120)}])
    late = 1 if lookback is not None else 0
    if late:
        db.source.insert_one({"_id": 202, "c": of(111)})
    assert copied() == 2 + late
    assert copied() == 0


def test_a_document_without_a_cursor_is_not_lost_silently(copier: Copier, db: Db) -> None:
    source = source_of(connection="m", collection="source")
    to = destination_of(connection="sqlite", table="t", mode="append")
    incremental = Incremental(cursor="c")
    db.source.insert_many([{"_id": 1, "c": datetime(2020, 1, 1)}])
    copier(source, to, incremental=incremental)
    db.source.insert_many([{"_id": 2}])
    with pytest.raises(FatalError, match="no value in 1 row"):
        copier(source, to, incremental=incremental)
    db.source.replace_one({"_id": 2}, {"_id": 2, "c": "2019-01-01"})
    with pytest.raises(FatalError, match="columns have changed"):
        copier(source, to, incremental=incremental)


def test_documents_without_a_date_or_outside_are_left_out_of_an_interval(copier: Copier, db: Db) -> None:
    june = (datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC))
    days = [
        datetime(2020, 5, 31),
        datetime(2020, 6, 1),
        datetime(2020, 6, 30, 23),
        datetime(2020, 7, 1),
        None,
    ]
    db.source.insert_many([{"_id": n, "day": day} for n, day in enumerate(days)])
    to = destination_of(connection="duckdb", table="t", mode="delete_insert", interval="day")
    assert copier(source_of(connection="m", collection="source"), to, interval=june).counts.read == 2


# --- addresses and errors -----------------------------------------------------------------------------


def test_a_collection_that_is_not_there_is_named_with_the_nearest(copier: Copier, db: Db) -> None:
    db.orders.insert_one({})
    with pytest.raises(FatalError, match=r"no collection 'order'\n  hint: did you mean 'orders'"):
        copier(source_of(connection="m", collection="order"), destination_of(path="o.csv"))


def test_a_server_that_is_away_may_come_back(copier: Copier) -> None:
    options = {"serverSelectionTimeoutMS": "200"}
    copier.addresses["m"] = Address("mongodb", "127.0.0.1", 1, database="x", options=options)
    with pytest.raises(RetryableError, match=r"mongodb at 127.0.0.1:1 refuses connections"):
        copier(source_of(connection="m", collection="c"), destination_of(path="o.csv"))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"database": ""}, "names no database"), ({"options": {"tlss": "true"}}, "Unknown option: tlss")],
)
def test_an_address_that_is_not_usable_is_explained(
    copier: Copier, mongodb: Address, change: dict[str, Any], said: str
) -> None:
    copier.addresses["m"] = replace(mongodb, **change)
    with pytest.raises(FatalError, match=said):
        copier(source_of(connection="m", collection="c"), destination_of(path="o.csv"))


def test_a_wrong_password_is_not_tried_again(copier: Copier, mongodb: Address) -> None:
    if not mongodb.user:
        pytest.skip("this server has no users")
    copier.addresses["m"] = replace(mongodb, password="wrong")
    with pytest.raises(FatalError, match="does not let us in") as refusal:
        copier(source_of(connection="m", collection="c"), destination_of(path="o.csv"))
    assert "wrong" not in str(refusal.value)

"""Tables of an emulator of BigQuery: what is written, what is read, what is refused.

Each test has many columns or cases in one copy, since each copy is a dozen requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from windlass.connections import Address
from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.opening import connect
from windlass.errors import FatalError
from windlass.plan.model import Destination, Incremental
from windlass.testing import Copier, destination_of, source_of


@pytest.fixture
def connection(bigquery: Address, copier: Copier) -> Iterator[Connection]:
    copier.addresses["bq"] = bigquery
    with closing(Connection(bigquery)) as opened:
        yield opened


@pytest.fixture
def parquet(copier: Copier) -> Callable[[str], Any]:
    """Makes a Parquet file of a SELECT of DuckDB, and gives the source of it."""

    def make(select: str) -> Any:
        import duckdb

        with duckdb.connect() as scratch:
            scratch.execute("SET TimeZone = 'UTC'")
            scratch.execute(f"COPY ({select}) TO '{copier.folder}/in.parquet' (FORMAT parquet)")
        return source_of(path="in.parquet")

    return make


def into(table: str = "t", **options: Any) -> Destination:
    return destination_of(connection="bq", table=table, **options)


EVERYTHING = """
    SELECT 1 AS id, true AS ok, 9223372036854775807 AS big, 0.1::DOUBLE AS ratio, 'naïve\\ ''x''' AS name,
        12345678901234567890123456789.123456789::DECIMAL(38,9) AS amount, 1.50::DECIMAL(10,2) AS price,
        18446744073709551615::UBIGINT AS wide, '\\x00\\xFF'::BLOB AS raw, DATE '0001-01-01' AS day,
        TIME '23:59:59.999999' AS clock, TIMESTAMP '9999-12-31 23:59:59.999999' AS naive,
        TIMESTAMPTZ '2024-02-29 01:02:03.000004+00' AS at, '{"a": [1, {"b": null}]}'::JSON AS doc,
        [3, 1, 2] AS list, {'x': 1, 'y': 'é"', 'z': [1.50::DECIMAL(9,2)]} AS nested,
        [{'d': DATE '2024-01-01', 't': TIMESTAMP '2024-01-01 00:00:01.5'}] AS items, MAP {'k': 1} AS map,
        uuid '123e4567-e89b-12d3-a456-426614174000' AS code
    UNION ALL SELECT 2, NULL, NULL, 'nan'::DOUBLE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, [], NULL, [], NULL, NULL
"""
TYPES = {  # the emulator forgets how many digits a NUMERIC has
    "id": "INT64",
    "ok": "BOOL",
    "big": "INT64",
    "ratio": "FLOAT64",
    "name": "STRING",
    "amount": "NUMERIC",
    "price": "NUMERIC",
    "wide": "NUMERIC",
    "raw": "BYTES",
    "day": "DATE",
    "clock": "TIME",
    "naive": "DATETIME",
    "at": "TIMESTAMP",
    "doc": "JSON",
    "list": "ARRAY<INT64>",
    "nested": "STRUCT<`x` INT64, `y` STRING, `z` ARRAY<NUMERIC>>",
    "items": "ARRAY<STRUCT<`d` DATE, `t` DATETIME>>",
    "map": "JSON",
    "code": "STRING",
}


def test_every_type_arrives_and_comes_back(
    connection: Connection, copier: Copier, parquet: Callable[[str], Any]
) -> None:
    from windlass.connectors.bigquery.fields import fields_of

    copier(parquet(EVERYTHING), into())
    table = connection.table(connection.table_name("t"))
    assert table is not None
    assert {field.name: field.sql() for field in fields_of(table.schema)} == TYPES
    one, two = connection.rows("SELECT * FROM t ORDER BY id")
    assert dict(zip(TYPES, one, strict=True)) == {
        "id": 1,
        "ok": True,
        "big": 2**63 - 1,
        "ratio": 0.1,
        "name": "naïve\\ 'x'",
        "amount": Decimal("12345678901234567890123456789.123456789"),
        "price": Decimal("1.50"),
        "wide": Decimal(2**64 - 1),
        "raw": b"\x00\xff",
        "day": date(1, 1, 1),
        "clock": time(23, 59, 59, 999999),
        "naive": datetime(9999, 12, 31, 23, 59, 59, 999999),
        "at": datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC),
        "doc": {"a": [1, {"b": None}]},
        "list": [3, 1, 2],
        "nested": {"x": 1, "y": 'é"', "z": [Decimal("1.50")]},
        "items": [{"d": date(2024, 1, 1), "t": datetime(2024, 1, 1, 0, 0, 1, 500000)}],
        "map": {"k": 1},
        "code": "123e4567-e89b-12d3-a456-426614174000",
    }
    found = dict(zip(TYPES, two, strict=True))
    assert [found.pop(name) for name in ("id", "list", "items")] == [2, [], []]
    assert str(found.pop("ratio")) == "nan"
    assert set(found.values()) == {None}

    copier(source_of(connection="bq", table="t"), destination_of(path="out.parquet"))
    copier(source_of(connection="bq", query="SELECT * FROM t;"), destination_of(path="query.parquet"))
    import duckdb

    changed = ("doc", "map", "code", "wide")  # of other types by now
    same = ", ".join(f'"{name}"' for name in TYPES if name not in changed)
    with duckdb.connect(config={"file_search_path": str(copier.folder)}) as scratch:
        for file in ("out.parquet", "query.parquet"):
            differs = f"(SELECT {same} FROM 'in.parquet') EXCEPT (SELECT {same} FROM '{file}')"
            assert scratch.execute(differs).fetchall() == []
            assert scratch.execute(f"SELECT count(*) FROM '{file}'").fetchall() == [(2,)]


def test_what_does_not_fit_is_quarantined(
    connection: Connection, copier: Copier, parquet: Callable[[str], Any]
) -> None:
    from google.cloud.bigquery import SchemaField, Table

    parts = [SchemaField("x", "INT64"), SchemaField("y", "STRING"), SchemaField("z", "NUMERIC", "REPEATED")]
    schema = [
        SchemaField("id", "INT64", "REQUIRED"),
        SchemaField("amount", "NUMERIC"),
        SchemaField("day", "DATE"),
        SchemaField("clock", "TIME"),
        SchemaField("doc", "JSON"),
        SchemaField("list", "INT64", "REPEATED"),
        SchemaField("nested", "RECORD", fields=parts),
    ]
    connection.client.create_table(Table(f"test.{connection.dataset}.t", schema=schema))
    good = {
        "amount": "1.5",
        "day": "2024-01-01",
        "clock": "01:02:03",
        "doc": "{}",
        "list": "[1]",
        "nested": "null",
    }
    bad = {
        "amount": ["1.0000000001", "123456789012345678901234567890"],
        "day": ["0000-12-31", "10000-01-01", "infinity"],
        "clock": ["24:00:00"],
        "doc": ["{", '{"a": 0.1234567890123456789}'],
        "list": ["[1, null]", "[1.5]", "[[1]]", "1", "null", '["x"]', "[9223372036854775808]"],
        "nested": [
            "[]",
            '{"w": 1}',
            '{"x": "one"}',
            '{"x": 1, "z": null}',
            '{"y": 1, "z": []}',
            '{"z": [1.0000000001]}',
        ],
    }
    rows = [good, *({**good, column: value} for column, values in bad.items() for value in values)]
    kept = {**good, "nested": '{"z": [1.5, 2], "y": "null", "x": 9223372036854775807}'}
    values = ", ".join(f"({i}, {', '.join(map(_sql, row.values()))})" for i, row in enumerate([kept, *rows]))
    source = parquet(f"SELECT * FROM (VALUES {values}) AS t(id, {', '.join(good)})")
    copier(source, into(mode="append"), on_bad_row="quarantine")
    found = [row["ordinal"] if "ordinal" in row else row["record"]["id"] for row in copier.quarantined]
    assert found == list(range(2, len(rows) + 1))
    assert [row["column"] for row in copier.quarantined] == [c for c, values in bad.items() for _ in values]
    assert connection.rows("SELECT id, nested FROM t ORDER BY id") == [
        (0, {"x": 2**63 - 1, "y": "null", "z": [Decimal("1.5"), Decimal(2)]}),
        (1, None),
    ]


def _sql(value: str) -> str:
    return "NULL" if value == "null" else "'" + value.replace("'", "''") + "'"


def test_a_new_table_is_partitioned_and_clustered_as_asked(
    connection: Connection, copier: Copier, parquet: Callable[[str], Any]
) -> None:
    source = parquet("SELECT 1 AS id, DATE '2024-01-01' AS day, 'a' AS name, [1] AS list")
    for _ in range(2):
        copier(source, into(partition={"by": "day", "per": "month"}, cluster=["name", "id"]))
    made = connection.client.get_table(f"test.{connection.dataset}.t")
    assert made.time_partitioning is not None
    assert (made.time_partitioning.field, made.time_partitioning.type_) == ("day", "MONTH")
    assert made.clustering_fields == ["name", "id"]
    for how, message in (
        ({"partition": {"by": "day"}}, "is partitioned by day per month, and not by day per day"),
        ({"cluster": ["id"]}, "is clustered by name, id, and not by id"),
    ):
        with pytest.raises(FatalError, match=message):
            copier(source, into(**how))
    for how, message in (
        ({"partition": {"by": "dya"}}, "there is no column 'dya'"),
        ({"partition": {"by": "name"}}, "cannot be partitioned by 'name', which is STRING"),
        ({"partition": {"by": "list"}}, "cannot be partitioned by 'list', which is ARRAY<INT64>"),
    ):
        with pytest.raises(FatalError, match=message):
            copier(source, into("other", **how))
    assert connection.tables() == ["t"]


def test_a_merge_changes_nested_values_and_adds_columns(
    connection: Connection, copier: Copier, parquet: Callable[[str], Any]
) -> None:
    copier(
        parquet(
            "SELECT 1 AS id, {'x': 1} AS s, ['a'] AS l, '{}'::JSON AS j UNION ALL SELECT 2, NULL, ['b'], NULL"
        ),
        into(),
    )
    new = "SELECT 1 AS id, {'x': 1} AS s, ['a'] AS l, '{}'::JSON AS j, 5 AS more UNION ALL SELECT 2, {'x': 2}, ['b', 'c'], '1', 6"
    options: dict[str, Any] = {"mode": "merge", "key": ("id",)}
    counts = copier(parquet(new), into(**options), on_new_column="add").counts
    assert (counts.inserted, counts.updated, counts.unchanged) == (0, 1, 1)
    found = connection.rows("SELECT id, s, l, TO_JSON_STRING(j), more FROM t ORDER BY id")
    assert found[1] == (2, {"x": 2}, ["b", "c"], "1", 6)
    again = new.replace(", 5 AS more", "").replace(
        ", 6", ""
    )  # the emulator does not tell of columns that are added
    counts = copier(parquet(again), into(**options)).counts
    assert (counts.updated, counts.unchanged) == (0, 2)
    with pytest.raises(FatalError, match="does not fit ARRAY<STRING>"):
        copier(parquet("SELECT 3 AS id, NULL::VARCHAR[] AS l"), into(**options))
    copier(parquet("SELECT 3 AS id, NULL::VARCHAR[] AS l"), into(**options, null_arrays="empty"))
    assert connection.rows("SELECT l FROM t WHERE id = 3") == [([],)]


@pytest.mark.parametrize(
    ("kind", "values", "more"),
    [
        ("INT64", ["1", "2"], "3"),
        ("NUMERIC", ["0.5", "12.125"], "12.126"),
        (
            "TIMESTAMP",
            ["2024-01-01 00:00:00.000001+00", "2024-01-02 00:00:00+00"],
            "2024-01-02 00:00:00.000001+00",
        ),
        ("DATETIME", ["2024-01-01 00:00:00", "2024-01-02 00:00:00"], "2024-01-03 00:00:00"),
        ("DATE", ["2024-01-01", "2024-01-02"], "2024-01-03"),
        ("STRING", ["a", "b"], "c"),
    ],
)
def test_an_incremental_copy_reads_what_is_new_with_ties(
    connection: Connection, copier: Copier, kind: str, values: list[str], more: str
) -> None:
    connection.run(f"CREATE TABLE s (id INT64, c {kind})")

    def add(number: int, value: str | None) -> None:
        text = (
            "NULL"
            if value is None
            else value
            if kind == "INT64"
            else f"{kind if kind != 'STRING' else ''} '{value}'"
        )
        connection.run(f"INSERT INTO s (id, c) VALUES ({number}, {text})")

    def load() -> int:
        source = source_of(connection="bq", table="s")
        destination = destination_of(connection="sqlite", table="t", mode="append")
        return copier(source, destination, incremental=Incremental(cursor="c")).counts.read

    add(1, values[0])
    add(2, values[1])
    assert load() == 2
    add(3, values[1])  # a tie
    add(4, more)
    assert (load(), load()) == (2, 0)
    add(5, None)
    with pytest.raises(FatalError, match="the cursor 'c' has no value in 1 row"):
        load()


def test_views_queries_and_what_is_not_there(
    connection: Connection, copier: Copier, parquet: Callable[[str], Any]
) -> None:
    copier(parquet("SELECT 1 AS id, 'a' AS name UNION ALL SELECT 2, 'b'"), into())
    connection.run("CREATE VIEW v AS SELECT id, name FROM t")
    out = destination_of(connection="sqlite", table="out")
    assert copier(source_of(connection="bq", table="v"), out).counts.read == 2
    where = f"SELECT name FROM {connection.dataset}.t WHERE id = 2 -- the last one"
    assert copier(source_of(connection="bq", query=where), out).counts.read == 1
    with pytest.raises(FatalError, match="there is no table 'tt'") as error:
        copier(source_of(connection="bq", table="tt"), out)
    assert "'t'" in str(error.value)
    with pytest.raises(FatalError, match=r"v is a view"):
        copier(source_of(connection="bq", table="t"), into("v"))
    with pytest.raises(FatalError, match="there is no dataset test:nowhere") as error:
        copier(source_of(connection="bq", table="t"), into("nowhere.t"))
    assert "bq mk" in str(error.value)
    with pytest.raises(FatalError, match="nam"):
        copier(source_of(connection="bq", query=f"SELECT nam FROM {connection.dataset}.t"), out)


def test_sql_runs_as_scripts(connection: Connection, bigquery: Address) -> None:
    with closing(connect(bigquery)) as database:
        database.execute("CREATE TABLE t (id INT64, name STRING)")
        assert database.execute("INSERT INTO t (id, name) VALUES (1, 'a;b'), (2, 'c')").changed == 2
        database.execute("INSERT INTO t (id) VALUES (3); -- and\nDELETE FROM t WHERE id = 1;")
        assert database.query("SELECT id FROM t ORDER BY id;", 10).rows == ((2,), (3,))
        assert database.query("SELECT id FROM t ORDER BY id", 1).rows == ((2,),)
        with pytest.raises(FatalError, match="no CREATE TABLE in a transaction"):
            database.execute("CREATE TABLE u (id INT64); INSERT INTO u (id) VALUES (1)")
        with pytest.raises(FatalError):
            database.execute("DELETE FROM t WHERE id = 2; INSERT INTO t (id) VALUES (CAST('x' AS INT64))")
        assert len(database.query("SELECT id FROM t").rows) == 2
        database.execute("CREATE TABLE u (id INT64); INSERT INTO u (id) VALUES (1)", transaction=False)
        assert database.tables() == ["t", "u"]
        with pytest.raises(FatalError, match="Not found") as error:
            database.query("SELECT * FROM uu")
        assert "'u'" in str(error.value)

"""What of BigQuery needs no server: addresses and credentials, names and types, the SQL that is sent."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass import logs
from windlass.connections import parse_address
from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.credentials import credentials
from windlass.connectors.bigquery.errors import bigquery_errors
from windlass.connectors.bigquery.fields import Field, field_for
from windlass.connectors.bigquery.labels import labels
from windlass.connectors.bigquery.options import Destination
from windlass.connectors.bigquery.reading.conditions import conditions
from windlass.connectors.bigquery.scripts import refused_in_transaction, statements
from windlass.connectors.bigquery.sql import TableName, literal
from windlass.connectors.bigquery.writing import making
from windlass.connectors.bigquery.writing.columns import as_wanted, from_stage
from windlass.connectors.bigquery.writing.parquet import footer_of
from windlass.connectors.bigquery.writing.statements import delete_interval, merge
from windlass.connectors.cursors import Mark
from windlass.connectors.source import IntervalOf, Reading, Since
from windlass.connectors.stores.folder import FolderStore
from windlass.connectors.stores.ranges import ObjectInRanges
from windlass.cost_log import keeping_costs
from windlass.errors import Code, FatalError, RetryableError, WindlassError
from windlass.options import read_options
from windlass.storage.objects import Object

EMULATOR = "bigquery://test/shop?endpoint=http://127.0.0.1:1&grpc=127.0.0.1:2"


def test_an_emulator_gets_nobodys_credentials_and_no_token() -> None:
    from google.auth.credentials import AnonymousCredentials

    assert isinstance(credentials(parse_address(EMULATOR, "a test")), AnonymousCredentials)
    with pytest.raises(FatalError, match="in the clear"):
        credentials(parse_address(f"{EMULATOR}&key_file=/run/secrets/key.json", "a test"))


def test_a_key_file_is_named_and_never_shown(tmp_path: Path) -> None:
    address = f"bigquery://test/shop?key_file={tmp_path}/key.json"
    with pytest.raises(FatalError, match=r"names a key file that cannot be read: .*key\.json"):
        Connection(parse_address(address, "a test"))
    (tmp_path / "key.json").write_text(json.dumps({"type": "service_account", "private_key": "hunter2"}))
    with pytest.raises(FatalError) as error:
        Connection(parse_address(address, "a test"))
    assert error.value.code is Code.NOT_LET_IN
    assert "hunter2" not in f"{error.value}{parse_address(address, 'a test')}"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("bigquery:///shop", "names no project"),
        (f"{EMULATOR}&silence=soon", "silence=soon: expected a number above 0"),
    ],
)
def test_an_address_that_is_not_usable(address: str, message: str) -> None:
    with pytest.raises(FatalError, match=message):
        Connection(parse_address(address, "a test"))


def test_what_goes_wrong_is_told_by_what_helps() -> None:
    found: Any = import_module("google.api_core.exceptions")
    no_credentials: Any = import_module("google.auth.exceptions").DefaultCredentialsError
    from requests.exceptions import ConnectionError as Lost

    cases: list[tuple[Exception, type[WindlassError], Code]] = [
        (found.NotFound("Not found: Table p:d.t"), FatalError, Code.NO_TABLE),
        (found.Forbidden("Access Denied"), FatalError, Code.NOT_LET_IN),
        (
            found.Forbidden("slow down", errors=[{"reason": "rateLimitExceeded"}]),
            RetryableError,
            Code.MAY_WORK_LATER,
        ),
        (
            found.Forbidden("Quota exceeded", errors=[{"reason": "quotaExceeded"}]),
            RetryableError,
            Code.MAY_WORK_LATER,
        ),
        (found.TooManyRequests("slow down"), RetryableError, Code.MAY_WORK_LATER),
        (
            found.BadRequest("gone", errors=[{"reason": "tableUnavailable"}]),
            RetryableError,
            Code.CONNECTION_LOST,
        ),
        (found.ServiceUnavailable("try later"), RetryableError, Code.CONNECTION_LOST),
        (
            found.BadRequest("Transaction is aborted due to concurrent update"),
            RetryableError,
            Code.MAY_WORK_LATER,
        ),
        (found.BadRequest("Syntax error"), FatalError, Code.CANNOT_BE_DONE),
        (found.RetryError("timeout", found.ServiceUnavailable("away")), RetryableError, Code.CONNECTION_LOST),
        (no_credentials("no credentials"), FatalError, Code.NOT_LET_IN),
        (Lost("refused"), RetryableError, Code.CONNECTION_LOST),
    ]
    for exc, kind, code in cases:
        with pytest.raises(kind) as error, bigquery_errors("bigquery project p"):
            raise exc
        assert (type(error.value), error.value.code) == (kind, code), exc


def test_names_of_tables() -> None:
    cases = {"t": "p.d.t", "e.t": "p.e.t", "`q`.e.t": "q.e.t", "`q.e.t`": "q.e.t"}
    assert {written: TableName(written, "p", "d").id for written in cases} == cases
    assert TableName("t", "p", "d").sql == "`p`.`d`.`t`"
    for wrong in ("a.b.c.d", "a..b", ""):
        with pytest.raises(FatalError, match="is not a table"):
            TableName(wrong, "p", "d")
    with pytest.raises(FatalError, match="in which dataset"):
        TableName("t", "p", "")


def test_literals_are_escaped() -> None:
    assert literal("it's \\ a\nline\0") == "'it\\'s \\\\ a\\nline\\x00'"


TYPES = {
    "UBIGINT": "NUMERIC(20, 0)",
    "HUGEINT": "BIGNUMERIC(38, 0)",
    "DECIMAL(38,9)": "NUMERIC",
    "DECIMAL(38,10)": "BIGNUMERIC(38, 10)",
    "DECIMAL(30,0)": "BIGNUMERIC(30, 0)",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "TIMESTAMP_NS": "DATETIME",
    "INTERVAL": "STRING",
    "BIGINT[]": "ARRAY<INT64>",
    "BIGINT[3]": "ARRAY<INT64>",
    "BIGINT[][]": "JSON",
    "MAP(VARCHAR, BIGINT)": "JSON",
    "BLOB[]": "JSON",
    'STRUCT(a BIGINT, "b ""c, d" DECIMAL(5,2)[])[]': 'ARRAY<STRUCT<`a` INT64, `b "c, d` ARRAY<NUMERIC(5, 2)>>>',
    "STRUCT(a BIGINT[][])": "JSON",
}


def test_new_columns_by_the_types_of_values() -> None:
    assert {kind: field_for("c", kind).sql() for kind in TYPES} == TYPES


def test_numbers_of_many_digits_are_text_and_become_numbers_by_sql() -> None:
    import duckdb

    field = Field(name="c", type="BIGNUMERIC", digits=(76, 38))
    column = as_wanted(field)
    assert (column.type, column.carries, from_stage(field)) == (
        "VARCHAR",
        "number",
        "CAST(`c` AS BIGNUMERIC)",
    )
    good = ["1", "-1.50", f"{'9' * 38}.{'9' * 38}", "000000001.", ".5", f"0.1{'0' * 50}"]
    bad = ["", "1e5", "NaN", "9" * 39, f"0.{'1' * 39}", "1 1", "one"]
    for values, fits in ((good, True), (bad, False)):
        for value in values:
            found = duckdb.execute("SELECT regexp_full_match(?, ?)", [value, column.pattern]).fetchall()
            assert found == [(fits,)], value


def test_values_that_only_bigquery_can_judge_are_asked_about_safely() -> None:
    kinds = {
        "JSON": "SAFE.PARSE_JSON(`c`)",
        "GEOGRAPHY": "SAFE.ST_GEOGFROM(`c`)",
        "INTERVAL": "SAFE_CAST(`c` AS INTERVAL)",
    }
    assert {kind: from_stage(Field(name="c", type=kind), safe=True) for kind in kinds} == kinds
    ranges = Field(name="c", type="RANGE", element="DATE")
    assert from_stage(ranges) == "CAST(`c` AS RANGE<DATE>)"


def test_scripts_are_split_where_statements_end() -> None:
    script = "SELECT ';' AS `a;b` -- one;\n; # two;\n/* ; */ SELECT r'\\\\', '''x;\n''y''' ;; DELETE FROM t WHERE TRUE"
    assert [part.split()[0] for part in statements(script)] == ["SELECT", "#", "DELETE"]
    refused = {
        "-- a\nINSERT INTO t SELECT 1": None,
        "CREATE TEMP TABLE t AS SELECT 1": None,
        "create or replace table t (x INT64)": "CREATE OR",
        "/* x */ drop table t": "DROP TABLE",
        "BEGIN TRANSACTION": "BEGIN TRANSACTION",
    }
    assert {statement: refused_in_transaction(statement) for statement in refused} == refused


def test_an_interval_is_in_the_words_of_its_column() -> None:
    interval = datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
    table = TableName("t", "p", "d")
    found = {
        kind: delete_interval(table, Field(name="c", type=kind), interval).partition(" WHERE ")[2]
        for kind in ("DATE", "DATETIME", "TIMESTAMP", "STRING")
    }
    assert found == {
        "DATE": "`c` >= DATE '2024-01-02' AND `c` < DATE '2024-01-03'",
        "DATETIME": "`c` >= DATETIME '2024-01-01 12:00:00' AND `c` < DATETIME '2024-01-03 00:00:00'",
        "TIMESTAMP": "`c` >= TIMESTAMP '2024-01-01 12:00:00+00' AND `c` < TIMESTAMP '2024-01-03 00:00:00+00'",
        "STRING": "SAFE_CAST(`c` AS TIMESTAMP) >= TIMESTAMP '2024-01-01 12:00:00+00' "
        "AND SAFE_CAST(`c` AS TIMESTAMP) < TIMESTAMP '2024-01-03 00:00:00+00'",
    }


def test_a_merge_compares_what_has_no_equality_by_its_text() -> None:
    fields = [
        Field(name="id", type="INT64"),
        Field(name="g", type="GEOGRAPHY"),
        Field(name="l", type="INT64", repeated=True),
    ]
    sql = merge(TableName("t", "p", "d"), TableName("s", "p", "d"), fields, ["id"])
    assert (
        "ON d.`id` = s.`id` WHEN MATCHED AND (ST_ASBINARY(d.`g`) IS DISTINCT FROM ST_ASBINARY(s.`g`) OR "
        in sql
    )
    assert "TO_JSON_STRING(d.`l`) IS DISTINCT FROM TO_JSON_STRING(s.`l`)" in sql
    only_key = merge(TableName("t", "p", "d"), TableName("s", "p", "d"), fields[:1], ["id"])
    assert "UPDATE" not in only_key


@pytest.mark.parametrize(
    ("kind", "highest", "family", "lookback", "bound"),
    [
        ("INT64", "7", "number", None, "7"),
        ("NUMERIC", "7.5", "number", 2.0, "NUMERIC '5.5'"),
        ("TIMESTAMP", "2024-01-02 00:00:00+00", "time", "1h", "TIMESTAMP '2024-01-01 23:00:00+00'"),
        ("DATE", "2024-01-02", "time", "1h", "DATE '2024-01-01'"),
        ("STRING", "it's", "text", None, "'it\\'s'"),
    ],
)
def test_rows_below_the_last_mark_are_left_out(
    kind: str, highest: str, family: Any, lookback: float | str | None, bound: str
) -> None:
    since = Since(last=Mark("c", highest, family).to_json(), cursor="c", lookback=lookback)
    assert list(conditions(Reading(since=since), [Field(name="c", type=kind)])) == [
        f"(`c` >= {bound} OR `c` IS NULL)"
    ]


def test_nothing_is_left_out_that_somebody_else_has_to_judge() -> None:
    fields = [Field(name="c", type="STRING"), Field(name="f", type="FLOAT64")]
    marks = [Mark("c", "7", "number"), Mark("d", "x", "text"), Mark("f", "7", "number")]
    for mark, cursor in zip(marks, ("c", "c", "f"), strict=True):
        assert list(conditions(Reading(since=Since(last=mark.to_json(), cursor=cursor)), fields)) == []
    interval = IntervalOf("c", (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)))
    assert list(conditions(Reading(interval=interval), fields)) == []


def test_ranges_and_names_of_a_destination() -> None:
    written = {"table": "t", "partition": {"by": "id", "ranges": {"start": 0, "end": 100, "step": 10}}}
    options = read_options(Destination, written)
    assert options.partition is not None
    partitioning = making._partitioning(options.partition)["range_partitioning"]
    bounds = partitioning.range_
    assert (partitioning.field, bounds.start, bounds.end, bounds.interval) == ("id", 0, 100, 10)
    for wrong in ({"table": "_windlass_loads"}, {"table": "t", "cluster": list("abcde")}):
        assert Destination(**wrong).refusal() is not None


def test_a_table_that_demands_a_condition_takes_only_loads_that_have_one() -> None:
    def refusal(**keys: Any) -> str | None:
        written = {"table": "t", "partition": {"by": "day", "require_filter": True}, **keys}
        try:
            read_options(Destination, written)
        except FatalError as exc:
            return exc.message
        return None

    assert refusal() is None
    assert refusal(mode="append") is None
    assert refusal(mode="delete_insert", interval="day") is None
    assert "all partitions" in str(refusal(mode="merge", key=["id"]))
    assert "is not 'day'" in str(refusal(mode="delete_insert", interval="at"))
    found = _Table(require_partition_filter=True, time_partitioning=_Table(field="day", type_="DAY"))
    merge_ = Destination(table="t", mode="merge", key=("id",))
    with pytest.raises(FatalError, match="all partitions") as error:
        making._check_filter(TableName("t", "p", "d"), found, merge_)
    assert "require_partition_filter = FALSE" in str(error.value.hint)
    making._check_filter(TableName("t", "p", "d"), found, Destination(table="t"))
    asked = read_options(Destination, {"table": "t", "partition": {"by": "day", "require_filter": True}})
    with pytest.raises(FatalError, match="demands no condition"):
        making._check_filter(TableName("t", "p", "d"), _Table(require_partition_filter=None), asked)


class _Table(SimpleNamespace):
    """A table, or a part of what is said of one."""

    def __getattr__(self, name: str) -> None:
        return None


def test_a_job_is_labelled_with_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_RUN_KEY", "2024-01-02T00:00:00+00:00")
    monkeypatch.setenv("WINDLASS_RUN_ID", "x" * 100)
    with logs.bind(pipeline="Orders é", task="load.all"):
        found = labels()
    assert found == {
        "windlass": "1",
        "windlass_pipeline": "orders__",
        "windlass_task": "load_all",
        "windlass_run": "x" * 63,
        "windlass_run_key": "2024-01-02t00_00_00_00_00",
    }


def test_what_jobs_cost_is_added_up() -> None:
    with closing(Connection(parse_address(EMULATOR, "a test"))) as connection, keeping_costs() as costs:
        assert costs.as_detail() == {}
        jobs = [_Table(total_bytes_processed=7, total_bytes_billed=10_485_760), _Table()]
        for job in jobs:
            connection.await_job(job, lambda: None)
        failed = _Table(total_bytes_processed=1, total_bytes_billed=10_485_760)
        with pytest.raises(ZeroDivisionError):
            connection.await_job(failed, lambda: 1 // 0)
        wanted = {"jobs": 3, "bytes_processed": 8, "bytes_billed": 20_971_520}
        assert costs.as_detail() == {"cost": wanted}


def test_a_job_is_cancelled_when_the_task_is_stopped() -> None:
    cancelled: list[float] = []
    job = _Table(cancel=lambda timeout: cancelled.append(timeout))

    def end() -> None:
        raise KeyboardInterrupt

    with (
        closing(Connection(parse_address(EMULATOR, "a test"))) as connection,
        pytest.raises(KeyboardInterrupt),
    ):
        connection.await_job(job, end)
    assert cancelled == [5]


@pytest.mark.parametrize(
    ("select", "fields"),
    [
        ("1::SMALLINT AS a, 2::UINTEGER AS b, 3::BIGINT AS c", ["INT64", "INT64", "INT64"]),
        ("1.5::DECIMAL(12,2) AS a, 1::DECIMAL(38,20) AS b", ["NUMERIC(12, 2)", "BIGNUMERIC(38, 20)"]),
        ("'x' AS a, '\\x00'::BLOB AS b, true AS c, 1::FLOAT AS d", ["STRING", "BYTES", "BOOL", "FLOAT64"]),
        ("DATE '9999-12-31' AS a, TIME '23:59:59' AS b", ["DATE", "TIME"]),
        ("TIMESTAMP '0001-01-01' AS a, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS b", ["DATETIME", "TIMESTAMP"]),
        ("NULL::DATE AS a", ["DATE"]),
        ("1::UBIGINT AS a", None),
        ("[1] AS a", None),
        ("{'x': 1} AS a", None),
        ("DATE '0000-12-31' AS a", None),
        ("DATE '10000-01-01' AS a", None),
        ("'infinity'::TIMESTAMP AS a", None),
        ("TIME '24:00:00' AS a", None),
        ("'2024-01-01'::TIMESTAMP_NS AS a", None),
        ("uuid() AS a", None),
        ("'{}'::JSON AS a", None),
    ],
)
def test_a_footer_says_whether_bigquery_reads_the_same(
    tmp_path: Path, select: str, fields: list[str] | None
) -> None:
    import duckdb

    store = FolderStore("lake", tmp_path)
    file = tmp_path / "objects" / "a.parquet"
    duckdb.execute(f"COPY (SELECT {select}) TO '{file}' (FORMAT parquet)")
    [found] = store.list("")
    footer = footer_of(store, found)
    assert (None if footer is None else [field.sql() for field in footer.fields]) == fields


def test_a_file_that_is_none_is_left_to_who_says_so(tmp_path: Path) -> None:
    store = FolderStore("lake", tmp_path)
    for data in (b"", b"PAR1", b"id,name\n1,a\n" * 10_000):
        (tmp_path / "objects" / "a.parquet").write_bytes(data)
        [found] = store.list("")
        assert footer_of(store, found) is None


@given(begin=st.integers(0, 200_000), size=st.integers(-1, 200_000))
def test_an_object_is_read_where_somebody_looks(begin: int, size: int) -> None:
    data = b"".join(struct.pack(">I", number) for number in range(40_000))
    store = _OneObject(data)
    with ObjectInRanges(store, Object("a", len(data), "1")) as file:
        file.seek(begin)
        assert file.read(size) == data[begin:][: None if size < 0 else size]
        assert file.seek(-8, io.SEEK_END) == len(data) - 8
        assert (file.read(4), file.tell()) == (data[-8:-4], len(data) - 4)


class _OneObject(FolderStore):
    """A store with one object, which is in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, found: Object, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        yield self._data[begin:end]

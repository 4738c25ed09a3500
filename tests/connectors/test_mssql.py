"""SQL Server, by its own driver, against the bytes of a server: there is none that could run here."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.connectors.certificates import self_signed
from tests.connectors.tds_server import (
    BIT,
    BYTES,
    FLOAT,
    LONG,
    MONEY,
    NTEXT,
    REAL,
    TEXT,
    Answer,
    Refusal,
    TdsServer,
    decimal,
    integer,
)
from windlass.connections import Address
from windlass.connectors.mssql.database import MssqlDatabase
from windlass.errors import Code, FatalError, RetryableError
from windlass.plan.model import Incremental, SelectColumn
from windlass.testing import Copier, SqliteKit, destination_of, source_of

# name, type as the server says it, how the SELECT asks for it, its type on the wire, and values
COLUMNS: list[tuple[str, str, str, Any, list[Any]]] = [
    ("bit", "bit", "[bit]", BIT, [True, False, None]),
    ("tiny", "tinyint", "[tiny]", integer(1), [0, 255, None]),
    ("small", "smallint", "[small]", integer(2), [-(2**15), 2**15 - 1, None]),
    ("int", "int", "[int]", integer(4), [-(2**31), 2**31 - 1, None]),
    ("big", "bigint", "[big]", integer(8), [-(2**63), 2**63 - 1, None]),
    (
        "dec",
        "decimal(38,10)",
        "[dec]",
        decimal(38, 10),
        [Decimal("-" + "9" * 28 + ".0123456789"), Decimal("1E-10"), None],
    ),
    ("num", "numeric(5,0)", "[num]", decimal(5, 0), [Decimal(-99999), Decimal(0), None]),
    ("money", "money", "[money]", MONEY, [Decimal("-922337203685477.5808"), Decimal("0.0001"), None]),
    ("real", "real", "[real]", REAL, [16777217.0, -0.10000000149011612, None]),
    ("float", "float", "[float]", FLOAT, [0.1, -1.7976931348623157e308, None]),
    ("day", "date", "CONVERT(char(10), [day], 23) AS [day]", TEXT, ["0001-01-01", "9999-12-31", None]),
    (
        "old",
        "datetime",
        "CONVERT(varchar(23), [old], 121) AS [old]",
        TEXT,
        ["1753-01-01 00:00:00.003", "9999-12-31 23:59:59.997", None],
    ),
    (
        "at",
        "datetime2(6)",
        "CONVERT(varchar(27), [at], 121) AS [at]",
        TEXT,
        ["2024-02-29 12:34:56.123456", "0001-01-01 00:00:00.000000", None],
    ),
    (
        "zoned",
        "datetimeoffset(7)",
        "REPLACE(REPLACE(CONVERT(varchar(34), [zoned], 121), ' +', '+'), ' -', '-') AS [zoned]",
        TEXT,
        ["2024-02-29 12:34:56.1234560+05:30", "2024-01-01 00:00:00.0000000-14:00", None],
    ),
    (
        "time",
        "time(7)",
        "CONVERT(varchar(16), [time], 121) AS [time]",
        TEXT,
        ["23:59:59.9999990", "00:00:00.0000000", None],
    ),
    (
        "id",
        "uniqueidentifier",
        "CONVERT(char(36), [id]) AS [id]",
        TEXT,
        ["6F9619FF-8B86-D011-B42D-00C04FC964FF", "00000000-0000-0000-0000-000000000000", None],
    ),
    ("text", "varchar(50)", "[text]", TEXT, ["é€ '", "", None]),
    ("wide", "nvarchar(50)", "[wide]", NTEXT, ["naïve 🎉", "", None]),
    ("long", "nvarchar(max)", "[long]", LONG, ["a\nb" * 5000, "", None]),
    ("xml", "xml", "CONVERT(nvarchar(max), [xml]) AS [xml]", LONG, ["<a>🎉</a>", "", None]),
    ("json", "json", "CONVERT(nvarchar(max), [json]) AS [json]", LONG, ['{"a": 1.50}', "[]", None]),
    ("bytes", "varbinary(max)", "[bytes]", BYTES, [bytes(range(256)), b"", None]),
    ("a]b", "rowversion", "[a]]b]", BYTES, [bytes(8), b"\x01" * 8, None]),
]
READ = {  # what other values come to in Parquet
    "dec": [Decimal("-" + "9" * 28 + ".0123456789"), Decimal("0.0000000001"), None],
    "real": [16777216.0, -0.10000000149011612, None],
    "zoned": [
        datetime(2024, 2, 29, 7, 4, 56, 123456, tzinfo=UTC),
        datetime(2024, 1, 1, 14, tzinfo=UTC),
        None,
    ],
    "id": ["6f9619ff-8b86-d011-b42d-00c04fc964ff", "00000000-0000-0000-0000-000000000000", None],
}
SNAPSHOTS = Answer([("a", integer(1)), ("b", BIT)], [(1, False)])


def _answers(
    columns: Sequence[tuple[str, str, Any]], rows: Sequence[Sequence[Any]], **more: Any
) -> Callable[[str], Answer]:
    described = [
        ("name", NTEXT),
        ("system_type_name", NTEXT),
        ("error_number", integer(4)),
        ("error_message", LONG),
        ("user_type_name", NTEXT),
    ]

    def answer(sql: str) -> Answer:
        if "sys.databases" in sql:
            return SNAPSHOTS
        if "dm_exec_describe_first_result_set" in sql:
            return Answer(described, [(name, kind, None, None, None) for name, kind, _ in columns])
        if not sql.startswith(("SELECT", "WITH")):
            return Answer()
        asked = [
            column for column in columns if f"[{column[0].replace(']', ']]')}]" in sql.partition(" FROM ")[0]
        ]
        places = [columns.index(column) for column in asked]
        return Answer(
            [(name, wire) for name, _, wire in asked], [[row[i] for i in places] for row in rows], **more
        )

    return answer


def _address(server: TdsServer, **options: str) -> Address:
    return Address(
        "mssql",
        "localhost",
        server.port,
        server.user,
        server.password,
        "shop",
        options={"encrypt": "no", **options},
        origin="there",
    )


@contextmanager
def _serving(copier: Copier, answer: Callable[[str], Answer], **more: Any) -> Iterator[TdsServer]:
    with TdsServer(answer, **more) as server:
        copier.addresses["shop"] = _address(server)
        yield server


IDS = [("id", "int", integer(4)), ("at", "datetime2(6)", TEXT), ("amount", "decimal(12,2)", decimal(12, 2))]
ROWS = [(1, "2024-01-01 00:00:00.000000", Decimal("1.50")), (2, "2024-01-02 00:00:00.000000", None)]


def test_values_of_every_type_are_read_exactly(copier: Copier) -> None:
    import pyarrow.parquet as pq

    rows = list(zip(*(values for *_, values in COLUMNS), strict=True))
    with _serving(copier, _answers([(n, kind, wire) for n, kind, _, wire, _ in COLUMNS], rows)) as server:
        copier(source_of(connection="shop", table="dbo.t"), destination_of(path="t.parquet", mode="replace"))
    assert (
        server.batches[-1]
        == f"SELECT {', '.join(sql for _, _, sql, *_ in COLUMNS)} FROM [dbo].[t] AS [windlass_rows]"
    )
    read = pq.read_table(copier.folder / "t.parquet").to_pydict()
    for name, *_, values in COLUMNS:
        found = [
            str(v) if not isinstance(v, bytes | float | Decimal | datetime | type(None)) else v
            for v in read[name]
        ]
        expected = READ.get(name) or [str(v) if isinstance(v, bool | int) else v for v in values]
        if name in ("day", "old", "at", "time"):
            found = [None if v is None else str(v) for v in read[name]]
            expected = [
                None if v is None else str(type(w).fromisoformat(v))
                for v, w in zip(values, read[name], strict=True)
            ]
        assert found == expected, name


def test_only_what_may_be_new_is_asked_for_and_only_what_is_new_comes(copier: Copier) -> None:
    into = SqliteKit(copier)
    incremental = Incremental(cursor="at", lookback="1h")
    given = list(ROWS)

    def load() -> int:
        result = copier(
            source_of(connection="shop", table="t"), into.destination("append"), incremental=incremental
        )
        return result.counts.read

    def answer(sql: str) -> Answer:
        return _answers(IDS, given)(sql)

    with _serving(copier, answer) as server:
        assert load() == 2
        assert "WHERE" not in server.batches[-1]
        given.append((3, "2024-01-02 00:00:00.000000", Decimal("7.00")))  # at the same moment
        assert load() == 1
        expected = "WHERE ([at] >= CAST('2024-01-01 22:59:59.000000' AS datetime2(6)) OR [at] IS NULL)"
        assert server.batches[-1].endswith(expected)
        assert load() == 0
    assert into.query("SELECT id FROM target ORDER BY 1") == [(1,), (2,), (3,)]


def test_a_number_as_cursor_goes_along_as_a_number(copier: Copier) -> None:
    into = SqliteKit(copier)
    with _serving(copier, _answers(IDS, ROWS)) as server:
        for _ in range(2):
            copier(
                source_of(connection="shop", table="t"),
                into.destination("append"),
                incremental=Incremental(cursor="id", lookback=10, nulls="skip"),
            )
    assert server.batches[-1].endswith("WHERE ([id] >= -8)")


def test_a_cursor_wants_to_know_how_late_a_row_may_come(copier: Copier) -> None:
    with (
        _serving(copier, _answers(IDS, ROWS)),
        pytest.raises(FatalError, match="SQL Server does not show") as failed,
    ):
        copier(
            source_of(connection="shop", table="t"),
            SqliteKit(copier).destination("append"),
            incremental=Incremental(cursor="id"),
        )
    assert failed.value.code is Code.CURSOR


def test_an_interval_goes_along(copier: Copier) -> None:
    june = (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))
    destination = SqliteKit(copier).destination("delete_insert", interval="at")
    with _serving(copier, _answers(IDS, [])) as server:
        copier(source_of(connection="shop", table="t"), destination, interval=june)
    assert server.batches[-1].endswith(
        "WHERE ([at] >= CAST('2024-06-01 00:00:00.000000' AS datetime2(6)) "
        "AND [at] < CAST('2024-07-01 00:00:00.000000' AS datetime2(6)))"
    )


def test_a_query_may_begin_with_names_for_parts_of_it(copier: Copier) -> None:
    query = "WITH x AS (SELECT 1 AS id) -- (\nSELECT id FROM x;"
    with _serving(copier, _answers(IDS[:1], [(1,)])) as server:
        copier(source_of(connection="shop", query=query), SqliteKit(copier).destination())
    assert server.batches[-1] == (
        "WITH x AS (SELECT 1 AS id) -- (\nSELECT [id] FROM (SELECT id FROM x\n) AS [windlass_rows]"
    )


def test_a_snapshot_is_read_where_the_database_has_them(copier: Copier) -> None:
    with _serving(copier, _answers(IDS, ROWS)) as server:
        copier(source_of(connection="shop", table="t"), SqliteKit(copier).destination())
    assert "SET TRANSACTION ISOLATION LEVEL SNAPSHOT" in server.batches


def test_a_finer_time_than_others_have_is_a_bad_row(copier: Copier) -> None:
    columns = [IDS[0], ("at", "datetime2(7)", TEXT)]
    rows = [(1, "2024-01-01 00:00:00.1234567"), (2, "2024-01-01 00:00:00.1234560")]
    with _serving(copier, _answers(columns, rows)):
        counts = copier(
            source_of(connection="shop", table="t"), SqliteKit(copier).destination(), on_bad_row="quarantine"
        ).counts
    assert (counts.read, counts.written, counts.quarantined) == (2, 1, 1)
    assert copier.quarantined[0]["record"]["at"] == "2024-01-01 00:00:00.1234567"


def test_an_answer_that_ends_in_the_middle_loads_nothing(copier: Copier) -> None:
    into = SqliteKit(copier)
    for more, message in (
        ({"breaks": True}, "lost the connection"),
        ({"error": Refusal(1205, "Transaction was deadlocked.")}, "deadlocked"),
    ):
        with (
            _serving(copier, _answers(IDS, ROWS * 3000, **more)),
            pytest.raises(RetryableError, match=message),
        ):
            copier(source_of(connection="shop", table="t"), into.destination())
        assert not [name for name in into.left() if name == "target"]


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (229, FatalError, Code.NOT_LET_IN),
        (207, FatalError, Code.NO_COLUMN),
        (9002, RetryableError, Code.DISK_FULL),
        (1222, RetryableError, Code.MAY_WORK_LATER),
        (8134, FatalError, Code.CANNOT_BE_DONE),
    ],
)
def test_errors_of_the_server_are_told_by_their_numbers(
    number: int, kind: type[FatalError | RetryableError], code: Code
) -> None:
    refusal = Refusal(number, "It said no.", line=2)
    with TdsServer(lambda sql: Answer(error=refusal) if "DELETE" in sql else Answer()) as server:
        database = MssqlDatabase(_address(server))
        with pytest.raises(kind, match=r"It said no\.") as failed:
            database.execute("SELECT 1\nGO\nDELETE\nFROM t")
        database.close()
    assert failed.value.code is code
    if kind is FatalError:
        assert "line 4: " in failed.value.message
    assert any("ROLLBACK" in batch for batch in server.batches)
    assert not any("COMMIT TRANSACTION" in batch for batch in server.batches)


def test_a_missing_table_is_told_with_those_there_are(copier: Copier) -> None:
    described = [
        ("name", NTEXT),
        ("system_type_name", NTEXT),
        ("error_number", integer(4)),
        ("error_message", LONG),
        ("user_type_name", NTEXT),
    ]

    def answer(sql: str) -> Answer:
        if "dm_exec_describe" in sql:
            return Answer(described, [(None, None, 208, "Invalid object name 'ordrs'.", None)])
        if "INFORMATION_SCHEMA" in sql:
            return Answer([("s", NTEXT), ("t", NTEXT)], [("dbo", "orders"), ("x", "other")])
        return SNAPSHOTS if "sys.databases" in sql else Answer()

    with _serving(copier, answer), pytest.raises(FatalError, match="no table 'ordrs'") as failed:
        copier(source_of(connection="shop", table="ordrs"), SqliteKit(copier).destination())
    assert (failed.value.code, failed.value.hint) == (Code.NO_TABLE, "did you mean 'orders'?")


def test_a_type_that_nobody_else_knows_is_refused_with_what_to_ask_for(copier: Copier) -> None:
    columns = [IDS[0], ("shape", "geometry", BYTES)]
    into = SqliteKit(copier).destination()
    with _serving(copier, _answers(columns, [(1, b"x")])) as server:
        with pytest.raises(FatalError, match=r"\[shape\]\.STAsText\(\)"):
            copier(source_of(connection="shop", table="t"), into)
        copier(source_of(connection="shop", table="t"), into, select=(SelectColumn(name="id", source="id"),))
    assert "[shape]" not in server.batches[-1]


def test_a_wrong_password_is_told_and_not_shown() -> None:
    with TdsServer(lambda _: Answer()) as server:
        address = replace(_address(server), password="wrong-secret")
        with pytest.raises(FatalError, match="does not let us in: Login failed") as failed:
            MssqlDatabase(address)
    assert failed.value.code is Code.NOT_LET_IN
    assert "wrong-secret" not in str(failed.value)


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with TdsServer(lambda _: Answer()) as server:
        address = _address(server)
    with pytest.raises(RetryableError, match="refuses connections"):
        MssqlDatabase(address)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"encrypt": "perhaps"}, "expected yes or no"),
        ({"ca": "/nowhere.pem", "encrypt": "yes"}, "there is no such file"),
        ({"timeout": "5"}, "not known: timeout"),
        ({"connect_timeout": "-1"}, "a number of seconds"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(FatalError, match=said):
        MssqlDatabase(Address("mssql", "localhost", 1, options=options, origin="there"))


def test_encryption_is_the_default_and_wants_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with TdsServer(lambda _: Answer(), tls=context) as server:
        address = replace(_address(server), options={})
        with pytest.raises(FatalError, match="cannot be trusted") as failed:
            MssqlDatabase(address)
        assert failed.value.code is Code.NOT_LET_IN
        MssqlDatabase(replace(address, options={"ca": str(certificate)})).close()
        assert server.was_encrypted
        other = replace(address, host="127.0.0.1", options={"ca": str(certificate)})
        with pytest.raises(FatalError, match="does not match"):
            MssqlDatabase(other)


def test_a_server_without_encryption_gets_no_password() -> None:
    with TdsServer(lambda _: Answer()) as server, pytest.raises(FatalError, match="encrypt=no"):
        MssqlDatabase(replace(_address(server), options={}))
    assert not server.has_login


def test_a_request_to_stop_reaches_the_server(tmp_path: Path) -> None:
    with TdsServer(_answers(IDS, ROWS, stalls=True)) as server:
        uri = f"mssql://w:{quote(server.password, safe='')}@localhost:{server.port}/shop?encrypt=no&table=t"
        process = subprocess.Popen(
            [sys.executable, "-m", "windlass", "copy", uri, "t.parquet"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert server.stalling.wait(60)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        assert (process.returncode, server.attention.wait(10)) == (143, True), said
    assert server.password not in said
    assert not (tmp_path / "t.parquet").exists()

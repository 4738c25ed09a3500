"""Oracle, by its driver's own types and frames: there is no server that could run here, and its protocol is not public."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

import oracledb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from windlass.connections import Address
from windlass.connectors.oracle.errors import oracle_errors
from windlass.connectors.oracle.session import Session
from windlass.errors import Code, FatalError, RetryableError
from windlass.plan.model import Incremental, SelectColumn
from windlass.testing import Copier, SqliteKit, destination_of, source_of

NLS = "'TM9', 'NLS_NUMERIC_CHARACTERS=''.,'''"


@dataclass
class Field:
    """What the driver says of a column: the attributes of its FetchInfo."""

    name: str
    type_code: Any
    precision: int | None = None
    scale: int | None = None


@dataclass
class FakeCursor:
    connection: FakeConnection
    description: Sequence[Field] = ()
    found: list[tuple[Any, ...]] = field(default_factory=list)

    def execute(self, statement: str) -> None:
        self.connection.statements.append(statement)
        if statement.endswith("WHERE 1 = 0"):
            if self.connection.missing:
                raise oracledb.DatabaseError(oracle_error(942, "table or view does not exist"))
            self.description = self.connection.fields
        elif "all_objects" in statement:
            self.found = [("ORDERS",), ("OTHER",)]
        elif statement.startswith("SELECT"):
            self.found = [self.connection.digits]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


@dataclass
class FakeConnection:
    """As much of the driver's connection as we use."""

    fields: Sequence[Field] = ()
    frames: Sequence[pa.Table] = ()
    digits: tuple[Any, ...] = ()
    failure: Exception | None = None
    missing: bool = False
    version: str = "23.0"
    statements: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def cursor(self) -> FakeCursor:
        return FakeCursor(self)

    def fetch_df_batches(self, statement: str, size: int, *, fetch_decimals: bool) -> Iterator[Any]:
        assert fetch_decimals  # else numbers are floats
        self.statements.append(statement)
        for frame in self.frames:
            yield oracledb.DataFrame._from_arrow(frame)  # type: ignore[no-untyped-call]
        if self.failure is not None:
            raise self.failure

    def cancel(self) -> None:
        self.ended.append("cancel")

    def close(self) -> None:
        self.ended.append("close")


def oracle_error(number: int, said: str) -> Any:
    from oracledb.errors import _Error

    return _Error(message=f"ORA-{number:05}: {said}", code=number)


@pytest.fixture
def oracle(copier: Copier, monkeypatch: pytest.MonkeyPatch) -> FakeConnection:
    connection = FakeConnection()
    monkeypatch.setattr(oracledb, "connect", lambda **_: connection)
    copier.addresses["billing"] = Address("oracle", "h", 1521, "u", "s3cret!", "svc", origin="there")
    return connection


def test_the_fake_has_what_the_driver_has() -> None:
    for name in ("fetch_df_batches", "cursor", "cancel", "close"):
        wanted = inspect.signature(getattr(FakeConnection, name)).parameters
        assert wanted.keys() <= inspect.signature(getattr(oracledb.Connection, name)).parameters.keys()
    assert hasattr(oracledb.Connection, "version")
    assert all(hasattr(oracledb.FetchInfo, name) for name in Field.__dataclass_fields__)
    assert {"execute", "fetchall", "description", "__enter__"} <= set(dir(oracledb.Cursor))


def _time(column: str, form: str) -> str:
    return f"{form} || CASE WHEN {column} < DATE '0001-01-01' THEN ' (BC)' END AS {column}"


FINE = "YYYY-MM-DD HH24:MI:SS.FF9"
COLUMNS: list[tuple[Field, str, pa.Array, list[Any]]] = [
    (Field("ID", oracledb.DB_TYPE_NUMBER, 18, 0), '"ID"', pa.array([10**18 - 1, None]), [10**18 - 1, None]),
    (
        Field("BIG", oracledb.DB_TYPE_NUMBER, 38, 0),
        '"BIG"',
        pa.array([Decimal(10**38 - 1), None], pa.decimal128(38, 0)),
        [Decimal(10**38 - 1), None],
    ),
    (
        Field("AMOUNT", oracledb.DB_TYPE_NUMBER, 12, 2),
        '"AMOUNT"',
        pa.array([Decimal("-0.01"), None], pa.decimal128(12, 2)),
        [Decimal("-0.01"), None],
    ),
    (
        Field("ANY", oracledb.DB_TYPE_NUMBER, 0, -127),
        f'TO_CHAR("ANY", {NLS}) AS "ANY"',
        pa.array(["12345678901234567890.12345", None]),
        [Decimal("12345678901234567890.12345"), None],
    ),
    (
        Field("SINGLE", oracledb.DB_TYPE_BINARY_FLOAT),
        '"SINGLE"',
        pa.array([float("inf"), None], pa.float32()),
        [float("inf"), None],
    ),
    (Field("DOUBLE", oracledb.DB_TYPE_BINARY_DOUBLE), '"DOUBLE"', pa.array([0.1, None]), [0.1, None]),
    (
        Field("DAY", oracledb.DB_TYPE_DATE),
        _time('"DAY"', "TO_CHAR(\"DAY\", 'YYYY-MM-DD HH24:MI:SS')"),
        pa.array(["9999-12-31 23:59:59", None]),
        [datetime(9999, 12, 31, 23, 59, 59), None],
    ),
    (
        Field("AT", oracledb.DB_TYPE_TIMESTAMP),
        _time('"AT"', f"TO_CHAR(\"AT\", '{FINE}')"),
        pa.array(["2024-02-29 12:34:56.123456000", None]),
        [datetime(2024, 2, 29, 12, 34, 56, 123456), None],
    ),
    (
        Field("ZONED", oracledb.DB_TYPE_TIMESTAMP_TZ),
        _time('"ZONED"', f"TO_CHAR(SYS_EXTRACT_UTC(\"ZONED\"), '{FINE}') || '+00:00'"),
        pa.array(["2024-02-29 12:34:56.000001000+00:00", None]),
        [datetime(2024, 2, 29, 12, 34, 56, 1, tzinfo=UTC), None],
    ),
    (
        Field("SPAN", oracledb.DB_TYPE_INTERVAL_DS),
        'TO_CHAR("SPAN") AS "SPAN"',
        pa.array(["+01 02:03:04.000000", None]),
        ["+01 02:03:04.000000", None],
    ),
    (Field("NAME", oracledb.DB_TYPE_VARCHAR), '"NAME"', pa.array(["naïve 🎉 ", None]), ["naïve 🎉 ", None]),
    (
        Field("LONG", oracledb.DB_TYPE_CLOB),
        '"LONG"',
        pa.array(["x" * 100_000, None], pa.large_string()),
        ["x" * 100_000, None],
    ),
    (Field("RAW", oracledb.DB_TYPE_RAW), '"RAW"', pa.array([b"\0\xff", None]), [b"\0\xff", None]),
    (Field("BLOB", oracledb.DB_TYPE_BLOB), '"BLOB"', pa.array([b"", None], pa.large_binary()), [b"", None]),
    (
        Field("JSON", oracledb.DB_TYPE_JSON),
        'JSON_SERIALIZE("JSON" RETURNING CLOB) AS "JSON"',
        pa.array(['{"a": 1.50}', None]),
        ['{"a": 1.50}', None],
    ),
    (Field("YES", oracledb.DB_TYPE_BOOLEAN), '"YES"', pa.array([True, None]), [True, None]),
]


def test_values_of_every_type_are_read_exactly(copier: Copier, oracle: FakeConnection) -> None:
    oracle.fields = [each for each, *_ in COLUMNS]
    oracle.frames = [pa.table([array for *_, array, _ in COLUMNS], [each.name for each, *_ in COLUMNS])]
    oracle.digits = (5, "12345678901234567890")
    copier(
        source_of(connection="billing", table="shop.orders"), destination_of(path="t.parquet", mode="replace")
    )
    assert oracle.statements[0] == "SET TRANSACTION READ ONLY"
    assert oracle.statements[-1] == f'SELECT {", ".join(sql for _, sql, *_ in COLUMNS)} FROM "SHOP"."ORDERS"'
    read = pq.read_table(copier.folder / "t.parquet").to_pydict()
    assert {each.name: read[each.name] for each, *_ in COLUMNS} == {
        each.name: values for each, *_, values in COLUMNS
    }
    assert "cancel" not in oracle.ended


@pytest.mark.parametrize(
    ("digits", "values", "kind"),
    [
        ((0, "123456789012345678"), ["1"], pa.int64()),
        ((2, "100"), ["1.50"], pa.decimal128(5, 2)),
        ((0, "1000000000000000000"), ["1"], pa.decimal128(19, 0)),
        ((99, "1"), ["1E-70"], pa.string()),
        ((38, "1"), ["1"], pa.string()),
        ((None, None), [None], pa.string()),
    ],
)
def test_a_number_without_a_precision_gets_what_its_values_need(
    copier: Copier,
    oracle: FakeConnection,
    digits: tuple[Any, ...],
    values: list[str | None],
    kind: pa.DataType,
) -> None:
    oracle.fields, oracle.digits = [Field("N", oracledb.DB_TYPE_NUMBER, 0, -127)], digits
    oracle.frames = [pa.table({"N": pa.array(values, pa.string())})]
    copier(source_of(connection="billing", query="SELECT n FROM t;"), destination_of(path="t.parquet"))
    assert pq.read_schema(copier.folder / "t.parquet").field("N").type == kind
    assert oracle.statements[-1].endswith("FROM (SELECT n FROM t\n)")


@pytest.mark.parametrize(
    ("cursor", "lookback", "expected"),
    [
        ("ID", 3, '"ID" >= 7'),
        ("AT", "1h", "\"AT\" >= TO_DATE('2024-01-01 22:59:59', 'YYYY-MM-DD HH24:MI:SS')"),
    ],
)
def test_only_what_may_be_new_is_asked_for(
    copier: Copier, oracle: FakeConnection, cursor: str, lookback: float | str, expected: str
) -> None:
    oracle.fields = [Field("ID", oracledb.DB_TYPE_NUMBER, 0, -127), Field("AT", oracledb.DB_TYPE_DATE)]
    oracle.digits = (0, "9")
    oracle.frames = [pa.table({"ID": ["9", "10"], "AT": ["2024-01-01 00:00:00", "2024-01-02 00:00:00"]})]
    ends = source_of(connection="billing", table='"Orders"@far'), SqliteKit(copier).destination("append")
    for reads in (2, 0):
        result = copier(*ends, incremental=Incremental(cursor=cursor, lookback=lookback))
        assert result.counts.read == reads
    assert oracle.statements[-1].endswith(f'FROM "Orders"@far WHERE ({expected} OR "{cursor}" IS NULL)')


def test_what_has_no_form_that_others_know_is_refused(copier: Copier, oracle: FakeConnection) -> None:
    oracle.fields = [Field("ID", oracledb.DB_TYPE_NUMBER, 5, 0), Field("F", oracledb.DB_TYPE_BFILE)]
    oracle.frames = [pa.table({"ID": [1]})]
    ends = source_of(connection="billing", table="t"), SqliteKit(copier).destination()
    with pytest.raises(FatalError, match="'F' is of the type BFILE"):
        copier(*ends)
    copier(*ends, select=(SelectColumn(name="id", source="ID"),))
    assert oracle.statements[-1] == 'SELECT "ID" FROM "T"'


def test_a_missing_table_is_told_with_those_there_are(copier: Copier, oracle: FakeConnection) -> None:
    oracle.missing = True
    with pytest.raises(FatalError, match="no table 'ordrs'") as failed:
        copier(source_of(connection="billing", table="ordrs"), SqliteKit(copier).destination())
    assert (failed.value.code, failed.value.hint) == (Code.NO_TABLE, "did you mean 'ORDERS'?")


def test_a_statement_that_runs_is_ended_at_the_server(copier: Copier, oracle: FakeConnection) -> None:
    oracle.fields = [Field("ID", oracledb.DB_TYPE_NUMBER, 5, 0)]
    oracle.frames = [pa.table({"ID": [1]})]
    oracle.failure = oracledb.DatabaseError(oracle_error(1555, "snapshot too old"))
    with pytest.raises(RetryableError, match="snapshot too old"):
        copier(source_of(connection="billing", table="t"), SqliteKit(copier).destination())
    assert oracle.ended[:2] == ["cancel", "close"]


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (1017, FatalError, Code.NOT_LET_IN),
        (1031, FatalError, Code.NOT_LET_IN),
        (904, FatalError, Code.NO_COLUMN),
        (1652, RetryableError, Code.DISK_FULL),
        (3113, RetryableError, Code.CONNECTION_LOST),
        (12514, RetryableError, Code.MAY_WORK_LATER),
        (1476, FatalError, Code.CANNOT_BE_DONE),
    ],
)
def test_errors_of_the_server_are_told_by_their_numbers(
    number: int, kind: type[Exception], code: Code
) -> None:
    address = Address("oracle", "h", user="u", password="s3cret!", origin="there")
    with pytest.raises(kind, match="no") as failed, oracle_errors(address, "h:1521"):
        raise oracledb.DatabaseError(oracle_error(number, "no to u/s3cret!@h"))
    assert getattr(failed.value, "code", None) is code
    assert "s3cret!" not in str(failed.value)


def test_a_server_that_is_not_there_is_told_by_the_real_driver() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    for options in ({}, {"encrypt": "no"}):
        with pytest.raises(RetryableError, match="refuses connections"):
            Session(Address("oracle", "127.0.0.1", port, "u", "p", "svc", options=options, origin="there"))


@pytest.mark.parametrize(
    ("options", "service", "said"),
    [
        ({}, "", "names no service"),
        ({"encrypt": "perhaps"}, "s", "expected yes or no"),
        ({"ca": "/nowhere.pem"}, "s", "there is no such file"),
        ({"wallet": "x"}, "s", "not known: wallet"),
    ],
)
def test_addresses_that_mean_nothing_are_refused(options: dict[str, str], service: str, said: str) -> None:
    with pytest.raises(FatalError, match=said):
        Session(Address("oracle", "h", 1, "u", "p", service, options=options, origin="there"))

"""`check` and `sql` tasks, on a real Postgres and on files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.connectors.mysql_database import MysqlDatabase
from windlass.connections import Address
from windlass.connectors.influxdb.client import Connection as Influxdb
from windlass.connectors.postgres.session import Session

Run = Callable[..., dict[str, Any]]
Call = Callable[..., Any]

PROJECT = {"windlass.yaml": "project: p\nconnections: {pg: {type: postgres}}\n"}

MONGODB = {"windlass.yaml": "project: p\nconnections: {m: {type: mongodb}}\n"}

INFLUXDB = {"windlass.yaml": "project: p\nconnections: {i: {type: influxdb}}\n"}

MYSQL = {"windlass.yaml": "project: p\nconnections: {my: {type: mysql}}\n"}

ORDERS = """\
CREATE TABLE orders (id int, country text, amount numeric, at timestamptz);
INSERT INTO orders VALUES (1, 'FR', 5, now()), (2, 'DE', -1, now()), (2, NULL, 7, now() - interval '9 days');
"""

FILE = "id,country,amount,at\n1,FR,5,{now}\n2,DE,-1,{now}\n2,,7,{old}\n"


def execute(database: Address, sql: str) -> None:
    session = Session(database)
    try:
        session.execute(sql)
    finally:
        session.close()


def file_of_orders() -> str:
    now = datetime.now(UTC)
    return FILE.format(now=now.isoformat(), old=(now - timedelta(days=9)).isoformat())


def collection_of_orders(request: pytest.FixtureRequest) -> dict[str, str]:
    """The orders as documents. Returns the environment in which they are found."""
    from pymongo import MongoClient

    address: Address = request.getfixturevalue("mongodb")
    now = datetime.now(UTC)
    with MongoClient[dict[str, Any]](address.uri()) as client:
        client[address.database].orders.insert_many(
            [
                {"id": 1, "country": "FR", "amount": 5, "at": now},
                {"id": 2, "country": "DE", "amount": -1, "at": now},
                {"id": 2, "country": None, "amount": 7, "at": now - timedelta(days=9)},
            ]
        )
    return {"WINDLASS_CONN_M": address.uri()}


def measurement_of_orders(request: pytest.FixtureRequest) -> dict[str, str]:
    """The orders as points, a field their time. Returns the environment in which they are found."""
    address: Address = request.getfixturevalue("influxdb")
    now, old = datetime.now(UTC).isoformat(), (datetime.now(UTC) - timedelta(days=9)).isoformat()
    lines = (
        f'orders,country=FR id=1i,amount=5,at="{now}" 1',
        f'orders,country=DE id=2i,amount=-1,at="{now}" 2',
        f'orders id=2i,amount=7,at="{old}" 3',
    )
    Influxdb(address).write("\n".join(lines).encode())
    return {"WINDLASS_CONN_I": address.uri()}


def mysql_table_of_orders(request: pytest.FixtureRequest) -> dict[str, str]:
    """The orders in a table of MySQL. Returns the environment in which they are found."""
    mysql: MysqlDatabase = request.getfixturevalue("mysql")
    mysql.run(
        "CREATE TABLE orders (id int, country text, amount decimal(9,2), at timestamp null)",
        "INSERT INTO orders VALUES (1, 'FR', 5, now()), (2, 'DE', -1, now()), (2, NULL, 7, now() - interval 9 day)",
    )
    return {"WINDLASS_CONN_MY": mysql.address.uri()}


@pytest.fixture(
    params=["table", "query", "file", "file with options", "collection", "measurement", "table of mysql"]
)
def subject(request: pytest.FixtureRequest, database: Address) -> tuple[str, dict[str, str], dict[str, str]]:
    """The same rows wherever they can be: what a check says, the files, the environment."""
    if request.param == "file":
        return "path: orders.csv", {"orders.csv": file_of_orders()}, {}
    if request.param == "file with options":
        content = file_of_orders().replace(",", ";")
        return "from: {path: orders.txt, format: csv, csv: {delimiter: ;}}", {"orders.txt": content}, {}
    if request.param == "collection":
        return "from: {connection: m, collection: orders}", MONGODB, collection_of_orders(request)
    if request.param == "measurement":
        return "from: {connection: i, measurement: orders}", INFLUXDB, measurement_of_orders(request)
    if request.param == "table of mysql":
        return "connection: my, table: orders", MYSQL, mysql_table_of_orders(request)
    execute(database, ORDERS)
    what = "table: public.orders" if request.param == "table" else "query: 'SELECT * FROM orders'"
    return f"connection: pg, {what}", PROJECT, {"WINDLASS_CONN_PG": database.uri()}


ROW_SCHEMA = json.dumps({"required": ["id"], "properties": {"id": {"maximum": 1}}})


def test_checks_that_hold_pass_and_are_listed(
    subject: tuple[str, dict[str, str], dict[str, str]], run: Run, windlass: Call
) -> None:
    what, files, environment = subject
    result = run(
        f"tasks: {{a: {{check: {{{what}, rows: {{min: 1, max: 3}}, unique: [[id, country]], not_null: [id, amount], "
        "accepted: {country: [FR, DE]}, freshness: {column: at, within: 1h}, "
        "expressions: ['amount > -5', 'id < 10']}}}\n",
        files=files,
        env=environment,
    )
    assert (result["code"], result["tasks"]["a"]["rows_read"]) == (0, 3), result["stderr"]
    log = windlass("-C", result["root"], "logs", result["run"], "--json").json
    [detail] = [line["detail"] for line in log if line["event"] == "result"]
    assert [check["passed"] for check in detail["checks"]] == [True] * 8


def test_every_check_that_fails_is_told_with_sample_rows(
    subject: tuple[str, dict[str, str], dict[str, str]], run: Run
) -> None:
    what, files, environment = subject
    result = run(
        f"tasks: {{a: {{retries: 3, check: {{{what}, rows: 5, unique: id, not_null: country, "
        "accepted: {country: [FR]}, freshness: {column: at, within: 1ms}, "
        "expressions: amount > 0, json_schema: row.json}}}\n",
        files={**files, "row.json": ROW_SCHEMA},
        env=environment,
    )
    error = result["tasks"]["a"]["error"]
    assert (result["code"], result["tasks"]["a"]["attempts"]) == (1, 1)
    assert error.startswith("7 of 7 checks failed")
    for part in (
        "rows: exactly 5: 3 rows",
        "id is unique: 1 row speaks against it",
        "'occurrences': 2",
        "country is not NULL: 1 row speaks against it",
        "country is one of 'FR': 1 row speaks against it",
        "at is at most 0.001 s old: the newest",
        "amount > 0: 1 row speaks against it",
        "every row satisfies the JSON Schema: 2 rows speak against it",
    ):
        assert part in error


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ("not_null: nothing", "nothing"),
        ("expressions: 'amount >'", "syntax error"),
        ("freshness: {column: country, within: 1h}", "is not a date or time"),
    ],
)
def test_a_check_that_makes_no_sense_is_an_error_and_no_pass(
    check: str, message: str, database: Address, run: Run
) -> None:
    execute(database, ORDERS)
    result = run(
        f"tasks: {{a: {{check: {{connection: pg, table: orders, {check}}}}}}}\n",
        files=PROJECT,
        env={"WINDLASS_CONN_PG": database.uri()},
    )
    assert (result["code"], message in result["tasks"]["a"]["error"]) == (1, True), result["tasks"]["a"][
        "error"
    ]
    assert "defect" not in result["tasks"]["a"]["error"]


def test_a_table_that_does_not_exist_is_told_with_near_names(database: Address, run: Run) -> None:
    execute(database, ORDERS)
    result = run(
        "tasks:\n"
        "  a: {check: {connection: pg, table: order, rows: 1}}\n"
        "  b: {copy: {from: {connection: pg, table: order}, to: {path: out.csv}}}\n"
        "  c: {sql: {connection: pg, statement: SELECT * FROM order_}}\n",
        files=PROJECT,
        env={"WINDLASS_CONN_PG": database.uri()},
    )
    assert result["code"] == 1
    for task in result["tasks"].values():
        assert "orders" in task["error"], task


def test_sql_is_one_transaction_unless_it_must_not_be(database: Address, run: Run) -> None:
    broken = "CREATE TABLE {0} (id int); INSERT INTO {0} VALUES (1); SELECT 1/0"
    result = run(
        "tasks:\n"
        f"  a: {{sql: {{connection: pg, statement: {broken.format('one')}}}}}\n"
        f"  b: {{sql: {{connection: pg, transaction: false, statement: {broken.format('two')}}}}}\n"
        "  c: {needs: [], sql: {connection: pg, transaction: false, statement: VACUUM; VACUUM}}\n",
        files=PROJECT,
        env={"WINDLASS_CONN_PG": database.uri()},
    )
    assert [task["status"] for task in result["tasks"].values()] == ["failed", "failed", "success"]
    assert all("division by zero" in result["tasks"][name]["error"] for name in "ab")
    found = run(
        "tasks: {a: {check: {connection: pg, query: \"SELECT to_regclass('one') AS one, to_regclass('two') AS two\", expressions: [one IS NULL, two IS NOT NULL]}}}\n",
        files=PROJECT,
        env={"WINDLASS_CONN_PG": database.uri()},
    )
    assert found["code"] == 0, found["tasks"]["a"]["error"]


def test_a_sql_file_with_many_statements_and_templates_runs(database: Address, run: Run) -> None:
    sql = (
        "-- a comment; with a semicolon\n"
        "CREATE TABLE t (d date, s text);\n"
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;\n"
        "INSERT INTO t VALUES ('{{ ds }}', 'a;b'), ('{{ data_interval_end.date() }}', '{{ params.who }}');\n"
        "SELECT * FROM t;\n"
    )
    result = run(
        "schedule: '@daily'\nparams: {who: you}\ntasks: {a: {sql: {connection: pg, file: t.sql}}}\n",
        "--logical-date", "2025-02-28",
        files={**PROJECT, "t.sql": sql},
        env={"WINDLASS_CONN_PG": database.uri()},
    )  # fmt: skip
    assert result["code"] == 0, result["tasks"]["a"]["error"]
    check = (
        "tasks: {a: {check: {connection: pg, table: t, rows: 2, "
        "accepted: {s: ['a;b', you]}, expressions: \"d IN ('2025-02-28', '2025-03-01')\"}}}\n"
    )
    assert run(check, files=PROJECT, env={"WINDLASS_CONN_PG": database.uri()})["code"] == 0


def test_sql_without_a_connection_reads_and_writes_files(run: Run, windlass: Call) -> None:
    result = run(
        "tasks:\n"
        "  a: {sql: {statement: \"COPY (SELECT country, sum(amount) AS amount FROM 'in.csv' GROUP BY ALL) TO 'out.parquet'\"}}\n"
        "  b: {needs: a, check: {path: out.parquet, rows: 2, unique: country}}\n",
        files={"in.csv": "country,amount\nFR,1\nDE,2\nFR,3\n"},
    )
    assert result["code"] == 0, result["stderr"]
    assert (result["root"] / "out.parquet").exists()

"""`windlass query`, and connections of the project as ends of `windlass copy`: in a project that has run once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import windlass as api
from tests.conftest import Output

Windlass = Callable[..., Output]


def count(windlass: Windlass, hello: Path) -> int:
    done = windlass("query", "warehouse", "SELECT count(*) AS n FROM orders", "--format", "ndjson", cwd=hello)
    assert done.code == 0, done
    return int(json.loads(done.stdout)["n"])


def test_a_dev_service_that_has_stopped_can_be_looked_into(windlass: Windlass, hello: Path) -> None:
    assert windlass("query", "warehouse", cwd=hello).stdout == "table\norders\n"
    table = windlass("query", "warehouse:orders", "--format", "table", cwd=hello)
    lines = table.stdout.splitlines()
    assert (table.code, lines[0].split(), lines[-1]) == (
        0,
        ["id", "ordered_on", "country", "amount"],
        f"{count(windlass, hello)} rows",
    )
    assert "connection=warehouse type=postgres" in table.stderr


@pytest.mark.parametrize("place", [".", "data"])
def test_each_form_has_the_same_rows(windlass: Windlass, hello: Path, place: str) -> None:
    def asked(kind: str) -> str:
        sql = "SELECT country, max(amount) AS most FROM orders GROUP BY 1 ORDER BY 1 LIMIT 2"
        done = windlass("query", "warehouse", sql, "--format", kind, cwd=hello / place)
        assert done.code == 0, done
        return done.stdout

    rows = [json.loads(line) for line in asked("ndjson").splitlines()]
    assert json.loads(asked("json")) == rows
    assert asked("csv").splitlines() == ["country,most", *(f"{r['country']},{r['most']}" for r in rows)]
    assert asked("markdown").splitlines()[2:] == [f"| {r['country']} | {r['most']} |" for r in rows]
    assert [line.split() for line in asked("table").splitlines()[2:-1]] == [
        [r["country"], str(r["most"])] for r in rows
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "SELECT 1; COMMIT; DROP TABLE orders",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        "SELECT 1) TO STDOUT; DROP TABLE orders; --",
    ],
)
def test_a_query_changes_nothing(windlass: Windlass, hello: Path, sql: str) -> None:
    before = count(windlass, hello)
    assert windlass("query", "warehouse", sql, cwd=hello).code != 0
    assert count(windlass, hello) == before


def test_a_query_that_may_write_says_how_many_rows_it_changed(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n2\n3\n")
    address = "sqlite:///shop.db"
    assert windlass("copy", "a.csv", f"{address}?table=a").code == 0
    assert windlass("query", address, "DELETE FROM a WHERE id > 1").code == 2
    assert windlass("query", address, "DELETE FROM a WHERE id > 1", "--write").stdout == "2 rows changed\n"
    assert windlass("query", f"{address}?table=a").stdout == "id\n1\n"


def test_files_are_tables_of_their_names(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "daily sales.csv").write_text("code,amount\n007,1.10\n008,2.20\n")
    assert windlass(
        "query", "daily sales.csv", "SELECT code, amount FROM daily_sales ORDER BY 1 DESC"
    ).stdout == ("code,amount\n008,2.2\n007,1.1\n")
    assert windlass("query", "daily sales.csv", "--limit", "1").stdout == "code,amount\n007,1.1\n"
    limited = windlass("query", "daily sales.csv", "--limit", "1", "--format", "table").stdout
    assert limited.endswith("1 row, and there are more: --limit 0 shows all\n")
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n FROM daily_sales")
    assert windlass("query", "daily sales.csv", "--file", "q.sql").stdout == "n\n2\n"


def test_a_file_with_a_bad_row_is_not_answered_from_the_rest(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3\n")
    done = windlass("query", "a.csv", "SELECT count(*) FROM a")
    assert (done.code, done.stdout) == (1, "")
    assert "a.csv:3: expected 2 fields, found 1" in done.stderr


def test_standard_input_can_be_asked(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "windlass",
        "query",
        "-",
        "SELECT sum(a) AS n FROM rows",
        "--from-format",
        "csv",
    ]
    done = subprocess.run(
        command, input="a\n1\n2\n", capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "n\n3\n"), done.stderr


WRONG = {
    ("query", "warehous"): "did you mean 'warehouse'?",
    ("query", "warehouse", "SELECT * FROM ordrs"): "did you mean 'orders'?",
    ("query", "warehouse:ordrs"): "did you mean 'orders'?",
    ("query", "warehouse:orders", "SELECT 1"): "name the connection: warehouse",
    ("query", "data/orders.csv", "SELECT * FROM order_s"): "orders",
    ("query", "warehouse", "TRUNCATE orders"): "--write lets it",
    ("copy", "warehous:orders", "x.csv"): "did you mean 'warehouse'?",
    ("copy", "data/orders.csv", "warehous:orders"): "did you mean 'warehouse'?",
    ("copy", "data/orders.csv", "warehouse"): "warehouse:TABLE",
}  # fmt: skip


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_name_is_told_with_the_near_one(
    windlass: Windlass, hello: Path, arguments: tuple[str, ...]
) -> None:
    done = windlass(*arguments, cwd=hello)
    assert done.code != 0
    assert WRONG[arguments] in done.stderr, done.stderr


def test_connections_of_the_project_are_ends_of_a_copy(
    windlass: Windlass, hello: Path, tmp_path: Path
) -> None:
    out = tmp_path / "orders.csv"
    assert windlass("copy", "warehouse:orders", out, cwd=hello).code == 0
    assert windlass("copy", "warehouse:public.orders", "warehouse:again", cwd=hello).code == 0
    rows = windlass("copy", "warehouse?query=SELECT * FROM again", "-", "--to-format", "csv", cwd=hello)
    assert rows.stdout == out.read_text()
    windlass("query", "warehouse", "DROP TABLE again", "--write", cwd=hello)


def test_a_file_with_a_colon_stays_a_file(windlass: Windlass, tmp_path: Path) -> None:
    (tmp_path / "sales:2025.csv").write_text("a\n1\n")
    assert windlass("copy", "sales:2025.csv", "out:2025.csv").code == 0
    assert (tmp_path / "out:2025.csv").read_text() == "a\n1\n"


def test_python_gets_the_values(hello: Path) -> None:
    found = api.query("warehouse", "SELECT 1 AS a, 'x' AS b, DATE '2025-01-02' AS c", folder=hello)
    assert (found.columns, found.types) == (("a", "b", "c"), ("INTEGER", "VARCHAR", "DATE"))
    assert [tuple(map(str, row)) for row in found.rows] == [("1", "x", "2025-01-02")]
    first = api.query("warehouse:orders", limit=1, folder=hello)
    assert (len(first.rows), first.is_whole) == (1, False)
    with pytest.raises(api.UsageError, match="only reads"):
        api.query("warehouse", "DROP TABLE orders", folder=hello)

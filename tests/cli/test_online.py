"""`windlass validate --online`: what servers say of the queries of a project."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output
from windlass.connections import Address

PROJECT = "project: p\nconnections: {shop: {type: sqlite}, other: {type: sqlite}}\n"
PIPELINE = """\
pipeline: p
schedule: "@daily"
start: 2024-01-01
tasks:
  good: {copy: {from: {connection: shop, query: "SELECT id FROM t WHERE day = '{{ ds }}'"}, to: {path: out.csv}}}
  wrong: {copy: {from: {connection: shop, query: "SELECT idd FROM t;"}, to: {path: wrong.csv}}}
  makes: {sql: {connection: shop, statement: CREATE TABLE later AS SELECT 1 AS x}}
  looks: {needs: makes, check: {connection: shop, query: SELECT x FROM later, rows: {min: 1}}}
  nowhere: {check: {connection: other, query: SELECT 1, rows: {min: 1}}}
"""


def test_each_query_is_judged_and_none_is_run(tmp_path: Path, windlass: Callable[..., Output]) -> None:
    import sqlite3

    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text(PROJECT)
    (tmp_path / "pipelines" / "p.yaml").write_text(PIPELINE)
    file = tmp_path / "shop.sqlite"
    with sqlite3.connect(file) as shop:
        shop.execute("CREATE TABLE t (id INTEGER, day TEXT)")
    shop.close()
    environment = {"WINDLASS_CONN_SHOP": f"sqlite:///{file}"}
    assert windlass("-C", tmp_path, "validate", env=environment).code == 0
    done = windlass("-C", tmp_path, "validate", "--online", "--json", env=environment)
    told = json.loads(done.stdout)
    assert (done.code, told["valid"], told["problems"]) == (1, False, [])
    queries = {query["task"]: query for query in told["queries"]}
    assert {task: query["ok"] for task, query in queries.items()} == {
        "good": True,
        "wrong": False,
        "makes": None,
        "looks": None,
        "nowhere": None,
    }
    assert "idd" in queries["wrong"]["message"]
    assert "can only be run" in queries["makes"]["message"]
    assert "not configured" in queries["nowhere"]["message"]
    text = windlass("-C", tmp_path, "validate", "--online", env=environment)
    assert "p good on shop: fits" in text.stdout
    assert "p wrong on shop: wrong: " in text.stderr


def test_bigquery_says_how_much_would_be_read(
    tmp_path: Path, windlass: Callable[..., Output], bigquery: Address
) -> None:
    from contextlib import closing

    from windlass.connectors.bigquery.client import Connection

    with closing(Connection(bigquery)) as connection:
        connection.run("CREATE TABLE t (id INT64)")
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text("project: p\nconnections: {bq: {type: bigquery}}\n")
    tasks = {
        "good": {"sql": {"connection": "bq", "statement": "SELECT id FROM t"}},
        "wrong": {"sql": {"connection": "bq", "statement": "SELEC id FROM t"}},
    }
    (tmp_path / "pipelines" / "p.yaml").write_text(json.dumps({"pipeline": "p", "tasks": tasks}))
    environment = {"WINDLASS_CONN_BQ": bigquery.uri()}
    done = windlass("-C", tmp_path, "validate", "--online", "--json", env=environment)
    queries = {query["task"]: query for query in json.loads(done.stdout)["queries"]}
    assert (queries["good"]["ok"], queries["wrong"]["ok"]) == (True, False)
    assert queries["good"]["bytes"] is not None

    done = windlass("-C", tmp_path, "run", "p", "--task", "good", "--json", env=environment)
    task, _ = json.loads(done.stdout)["tasks"]
    assert set(task["cost"]) == {"jobs", "bytes_processed", "bytes_billed"}
    assert task["cost"]["jobs"] == 1

"""examples/pg2pg: a table from one Postgres to another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.examples.conftest import Example, Windlass
from tests.examples.expected import SALES

Query = Callable[[Path, str, str], list[tuple[Any, ...]]]

# one number for all rows: the order of the rows makes no difference to it, anything else does
FINGERPRINT = """
SELECT count(*), sum(hashtextextended(sale::text, 0)), max(id), count(creation_date), count(sale_value)
FROM {} AS sale
"""


def test_the_target_has_the_rows_of_the_source(windlass: Windlass, example: Example, query: Query) -> None:
    root = example("pg2pg")
    run = windlass("-C", root, "run", "pg2pg", "--json")
    assert run.code == 0, run.stderr
    [task] = run.json["tasks"]
    assert (task["task"], task["kind"], task["status"]) == ("transfer_data", "copy", "success")
    assert (task["rows_read"], task["rows_written"], task["rows_quarantined"]) == (SALES, SALES, 0)
    assert task["path"] == "copy-binary"
    source = query(root, "pg_x", FINGERPRINT.format("tb_trx_src"))
    assert source == query(root, "pg_y", FINGERPRINT.format("tb_trx_dest"))
    assert source[0][0] == SALES


def test_a_second_run_ends_in_the_same_state(windlass: Windlass, example: Example, query: Query) -> None:
    root = example("pg2pg")
    for param in ("table=tb_trx_src", "table=public.tb_trx_src"):
        done = windlass("-C", root, "run", "pg2pg", "--param", param)
        assert done.code == 0, done.stderr
    source = query(root, "pg_x", FINGERPRINT.format("tb_trx_src"))
    assert source == query(root, "pg_y", FINGERPRINT.format("tb_trx_dest"))


def test_every_table_is_copied_by_a_task_of_its_own(windlass: Windlass, example: Example) -> None:
    done = windlass("-C", example("pg2pg"), "test", "tests/mirror.yaml", "--json")
    assert [case["differences"] for case in done.json["cases"]] == [[], []]

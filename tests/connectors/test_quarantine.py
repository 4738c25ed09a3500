"""Quarantine by the command line: list, show, mend, replay; and quarantines that are tables or files."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import Output
from tests.connectors.database import Database
from windlass.api.copying import copy
from windlass.plan.model import SelectColumn
from windlass.testing import Copier, destination_of, source_of

CSV = b'id,name\n1,Ada\n2\ntwo,Grace\n4,"Ed\nsger\n'


def files(to: str, quarantine: str = "", source: str = "in.csv") -> dict[str, str]:
    return {
        "windlass.yaml": "project: test\nconnections:\n  pg: {type: postgres}\n  lite: {type: sqlite}\n"
        "  again: {type: sqlite}\n",
        "pipelines/p.yaml": f"""
pipeline: p
tasks:
  load:
    copy:
      from: {{path: {source}, columns: {{id: bigint, name: text}}}}
      to: {to}
      on_bad_row: quarantine
      {quarantine}
""",
    }


@pytest.mark.parametrize(
    "to",
    [
        "{connection: pg, table: t, mode: append}",
        "{connection: lite, table: t, mode: append}",
        "{connection: pg, table: t, mode: merge, key: id}",
        "{path: out.ndjson, mode: append}",
    ],
    ids=["postgres", "sqlite", "merge", "file"],
)
def test_mended_rows_are_loaded_once(
    windlass: Callable[..., Output], project: Callable[..., Path], postgres: Database, to: str
) -> None:
    root = project(files(to))
    (root / "in.csv").write_bytes(CSV)
    env = {"WINDLASS_CONN_PG": postgres.address.uri(), "WINDLASS_CONN_LITE": f"sqlite:///{root}/file.db"}

    def run(*arguments: str | Path) -> Any:
        done = windlass("-C", root, *arguments, "--json", env=env)
        assert done.code == 0, done.stderr
        return done.json

    ran = run("run", "p")
    assert [(t["rows_read"], t["rows_written"], t["rows_quarantined"]) for t in ran["tasks"]] == [(4, 1, 3)]
    [listed] = run("quarantine", "list")
    assert (listed["task"], listed["rows"]) == ("load", 3)
    shown = run("quarantine", "show", ran["run_id"], "load")
    assert {row["reason"] for row in shown} == {"ragged_row", "type_mismatch", "unterminated_quote"}
    replay = ("quarantine", "replay", ran["run_id"], "load")
    assert run(*replay) == {"loaded": 0, "left": 3}
    mend: dict[str, Any] = {
        "ragged_row": {"raw": "2,Bob"},
        "type_mismatch": {"record": {"id": 3, "name": "Grace"}},
    }
    mended = root / "mended.ndjson"
    lines = [json.dumps({**row, **mend.get(row["reason"], {})}) + "\n" for row in shown]
    mended.write_text("".join(lines))
    assert run(*replay, "--file", mended) == {"loaded": 2, "left": 1}
    assert run(*replay, "--file", mended) == {"loaded": 0, "left": 1}
    assert sorted(loaded(root, postgres, to)) == [(1, "Ada"), (2, "Bob"), (3, "Grace")]


def loaded(root: Path, postgres: Database, to: str) -> list[tuple[Any, ...]]:
    if "pg" in to:
        return postgres.rows("SELECT id, name FROM t")
    if "lite" in to:
        connection = sqlite3.connect(root / "file.db")
        found = connection.execute("SELECT id, name FROM t").fetchall()
        connection.close()
        return found
    return [tuple(json.loads(line).values()) for line in (root / "out.ndjson").read_text().splitlines()]


def test_a_replay_keeps_every_digit_and_every_name(
    windlass: Callable[..., Output], project: Callable[..., Path], postgres: Database
) -> None:
    root = project(files("{connection: pg, table: t, mode: append}", source="in.ndjson"))
    text = '{"id": 1, "name": "a"}\n{"id": 2, "name": 0.12345678901234567890}\n{"id": 3, "name": "x", "name": "y"}\n'
    (root / "in.ndjson").write_text(text)
    (root / "pipelines" / "p.yaml").write_text(
        (root / "pipelines" / "p.yaml").read_text().replace(", columns: {id: bigint, name: text}", "")
    )
    env = {"WINDLASS_CONN_PG": postgres.address.uri()}
    ran = windlass("-C", root, "run", "p", "--json", env=env).json
    assert ran["tasks"][0]["rows_quarantined"] == 2
    replayed = windlass("-C", root, "quarantine", "replay", ran["run_id"], "load", "--json", env=env)
    assert replayed.json == {"loaded": 0, "left": 2}
    assert postgres.rows("SELECT * FROM t") == [(1, "a")]


@pytest.mark.parametrize(
    "where", ["{connection: pg, table: bad_rows}", "{connection: lite, table: bad_rows}"]
)
def test_a_quarantine_can_be_a_table_and_a_second_run_adds_to_it(
    windlass: Callable[..., Output], project: Callable[..., Path], postgres: Database, where: str
) -> None:
    root = project(files("{path: out.parquet}", f"quarantine: {where}"))
    (root / "in.csv").write_bytes(CSV)
    env = {"WINDLASS_CONN_PG": postgres.address.uri(), "WINDLASS_CONN_LITE": f"sqlite:///{root}/file.db"}
    for _ in range(2):
        assert windlass("-C", root, "run", "p", env=env).code == 0
    query = "SELECT reason, count(*) AS n, count(DISTINCT run) AS runs FROM bad_rows GROUP BY reason ORDER BY reason"
    if "pg" in where:
        found = postgres.rows(query)
    else:
        connection = sqlite3.connect(root / "file.db")
        found = connection.execute(query).fetchall()
        connection.close()
    assert found == [("ragged_row", 2, 2), ("type_mismatch", 2, 2), ("unterminated_quote", 2, 2)]


def test_bad_rows_do_not_go_into_a_file_that_their_load_has_by_another_name(
    windlass: Callable[..., Output], project: Callable[..., Path]
) -> None:
    root = project(files("{connection: lite, table: t}", "quarantine: {connection: again, table: bad_rows}"))
    (root / "in.csv").write_bytes(CSV)
    env = dict.fromkeys(("WINDLASS_CONN_LITE", "WINDLASS_CONN_AGAIN"), f"sqlite:///{root}/file.db")
    (task,) = windlass("-C", root, "run", "p", "--json", env=env).json["tasks"]
    assert (task["status"], task["code"]) == ("failed", "W0109")
    assert "the copy has the file of 'lite' for itself until it ends" in task["error"]


def test_a_nul_does_not_keep_a_row_out_of_a_quarantine_in_postgres(
    windlass: Callable[..., Output], project: Callable[..., Path], postgres: Database
) -> None:
    to = "{connection: pg, table: t, mode: append}"
    root = project(files(to, "quarantine: {connection: pg, table: bad_rows}"))
    (root / "in.csv").write_bytes(b"id,name\n1,Ada\n2,x\x00y\n3,z\x00,w\n")
    env = {"WINDLASS_CONN_PG": postgres.address.uri()}
    done = windlass("-C", root, "run", "p", "--json", env=env)
    assert done.code == 0, done.stderr
    query = "SELECT reason, value, raw FROM bad_rows ORDER BY line"
    assert postgres.rows(query) == [("nul_in_text", r"x\x00y", None), ("ragged_row", None, r"3,z\x00,w")]


def test_a_quarantine_can_be_a_file_of_the_workspace(
    windlass: Callable[..., Output], project: Callable[..., Path]
) -> None:
    """One that is of two tasks, which run at once: neither replaces what the other has put there."""
    made = files("{path: out.parquet}", "quarantine: {path: bad/rows.ndjson}")
    task = made["pipelines/p.yaml"].partition("tasks:\n")[2]
    other = task.replace("load:", "other:").replace("out.parquet", "other.parquet")
    root = project({**made, "pipelines/p.yaml": f"pipeline: p\ntasks:\n{task}\n{other}"})
    (root / "in.csv").write_bytes(CSV)
    for _ in range(2):
        assert windlass("-C", root, "run", "p").code == 0
        rows = [json.loads(line) for line in (root / "bad" / "rows.ndjson").read_text().splitlines()]
        assert Counter(row["task"] for row in rows) == {"load": 3, "other": 3}


def test_a_copy_replaces_only_its_own_rows_in_a_quarantine(tmp_path: Path) -> None:
    """Those of the same source and destination: they were there before."""
    (tmp_path / "in").mkdir()
    for name in ("a.csv", "b.csv", "in/a1.csv", "in/a2.csv"):
        (tmp_path / name).write_text("id\nx\n")
    with closing(sqlite3.connect(tmp_path / "from.db")) as database:
        database.executescript("CREATE TABLE t (id TEXT); INSERT INTO t VALUES ('x')")
    with closing(sqlite3.connect(tmp_path / "to.db")) as database:
        database.execute("CREATE TABLE t (id INTEGER)")

    def load(source: str) -> list[str]:
        how: dict[str, Any] = {"mode": "append", "on_bad_row": "quarantine", "quarantine": "bad.ndjson"}
        copy(source, f"sqlite:///{tmp_path}/to.db?table=t", **how, folder=tmp_path)
        bad = tmp_path / "bad.ndjson"
        lines = bad.read_text().splitlines() if bad.exists() else []
        return sorted(json.loads(line)["source"] for line in lines)

    assert load("a.csv") == load("a.csv") == ["a.csv"]
    assert load("b.csv") == ["a.csv", "b.csv"]
    assert load("in/") == load("in/") == ["a.csv", "a1.csv", "a2.csv", "b.csv"]
    (tmp_path / "in/a1.csv").write_text("id\n1\n")
    (tmp_path / "b.csv").write_text("id\n1\n")
    assert load("in/") == ["a.csv", "a2.csv", "b.csv"]
    assert load("b.csv") == ["a.csv", "a2.csv"]
    for source in (f"sqlite:///{tmp_path}/from.db?{what}" for what in ("table=t", "query=SELECT id FROM t")):
        assert len(load(source)) == len(load(source))
    (tmp_path / "bad.ndjson").unlink()
    (tmp_path / "a.csv").write_text("id\n1\n")
    assert (load("in/"), load("a.csv"), load("in/")) == (["a2.csv"], ["a2.csv"], ["a2.csv"])


def test_a_record_in_quarantine_has_every_digit_and_loads_as_it_was(copier: Copier) -> None:
    exact = "1234567890123456789.0123456789"
    columns = "n VARCHAR, d DECIMAL(38,10), f DOUBLE, g DOUBLE"
    row = f"'7x', {exact}, 'nan', '-inf'"
    with duckdb.connect(str(copier.folder / "file.duckdb")) as database:
        database.execute(f"CREATE TABLE source ({columns}); INSERT INTO source VALUES ({row})")
        database.execute(f"CREATE TABLE target ({columns.replace('n VARCHAR', 'n INTEGER')})")
    target = destination_of(connection="duckdb", table="target", mode="append")
    copier(source_of(connection="duckdb", table="source"), target, on_bad_row="quarantine")
    [bad] = copier.quarantined
    assert json.loads(json.dumps(bad, allow_nan=False)) == bad
    fixed = {**bad["record"], "n": 7}
    (copier.folder / "fixed.ndjson").write_text(json.dumps(fixed))
    copier(source_of(path="fixed.ndjson"), target)
    with duckdb.connect(str(copier.folder / "file.duckdb")) as database:
        [stored] = database.execute("SELECT n, d, isnan(f), g FROM target").fetchall()
    assert stored == (7, Decimal(exact), True, float("-inf"))


def test_a_record_that_is_too_deep_to_be_taken_apart_is_kept_as_text(copier: Copier) -> None:
    deep = '{"id":"x","v":' + "[" * 100_000 + "]" * 100_000 + "}"
    (copier.folder / "in.ndjson").write_text(f'{{"id":1}}\n{deep}\n')
    source, out = source_of(path="in.ndjson"), destination_of(path="out.ndjson")
    select = (SelectColumn(name="id", source="id", type="int"),)
    copier(source, out, on_bad_row="quarantine", select=select)
    [bad] = copier.quarantined
    assert (bad["reason"], bad["raw"], bad["line"]) == ("type_mismatch", deep, 2)

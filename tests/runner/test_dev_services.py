"""A run says which dev services it used, uses none where that is forbidden, and passes over no misspelt address."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output

FILES = {
    "windlass.yaml": "project: test\nconnections: {db: {type: sqlite}, spare: {type: sqlite}}\n",
    "pipelines/p.yaml": "pipeline: p\ntasks: {a: {sql: {connection: db, statement: 'CREATE TABLE IF NOT EXISTS t (id int)'}}}\n",
    "pipelines/outer.yaml": "pipeline: outer\ntasks: {go: {trigger: {pipeline: p}}}\n",
}
Call = Callable[..., Output]


@pytest.fixture
def root(project: Callable[..., Path]) -> Path:
    return project(FILES)


def test_a_run_says_which_dev_services_it_used(root: Path, windlass: Call) -> None:
    done = windlass("-C", root, "run", "p")
    assert "dev services stood in for: db (sqlite)\n" in done.stdout
    document = windlass("-C", root, "run", "p", "--json").json
    assert document["dev_services"] == {"db": "sqlite"}
    assert windlass("-C", root, "runs", "--json").json[0]["dev_services"] == {"db": "sqlite"}
    assert "dev service for db" in Path(document["report"]).read_text()
    env = {"WINDLASS_CONN_DB": f"sqlite:///{root}/real.db"}
    done = windlass("-C", root, "run", "p", env=env)
    assert "dev services" not in done.stdout
    assert windlass("-C", root, "run", "p", "--json", env=env).json["dev_services"] == {}


@pytest.mark.parametrize("pipeline", ["p", "outer"])
def test_dev_services_can_be_forbidden(pipeline: str, root: Path, windlass: Call) -> None:
    done = windlass("-C", root, "run", pipeline, "--no-dev")
    assert done.code == 1
    assert "connection 'db' is not configured; looked for it in" in done.stdout
    assert "leave out --no-dev" in done.stdout
    assert not (root / ".windlass/dev").exists()
    env = {"WINDLASS_CONN_DB": f"sqlite:///{root}/real.db"}
    assert windlass("-C", root, "run", pipeline, "--no-dev", env=env).code == 0
    assert sqlite3.connect(root / "real.db").execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize(
    "line", ["\ufeffWINDLASS_CONN_DB={}", "export\tWINDLASS_CONN_DB='{}'  # the real one"]
)
def test_rows_go_where_the_file_says(line: str, root: Path, windlass: Call) -> None:
    (root / ".env").write_text(line.format(f"sqlite:///{root}/real.db"), encoding="utf-8")
    assert windlass("-C", root, "run", "p", "--json").json["dev_services"] == {}
    assert (root / "real.db").exists()


def test_a_line_that_cannot_be_read_is_no_dev_service(root: Path, windlass: Call) -> None:
    (root / ".env").write_text(f"# mine\nWINDLASS_CONN_DB: sqlite:///{root}/real.db\n")
    done = windlass("-C", root, "run", "p")
    assert done.code == 1
    assert f"{root / '.env'}:2: this line is not NAME=value" in done.stdout
    assert not (root / ".windlass/dev").exists()


def test_a_name_of_no_connection_is_told(root: Path, windlass: Call) -> None:
    env = {"windlass_conn_db": "sqlite:///x.db", "WINDLASS_CONN_SPAER": "sqlite:///y.db"}
    done = windlass("-C", root, "run", "p", env=env)
    told = {
        r["variable"]: r["hint"]
        for r in map(json.loads, done.stderr.splitlines())
        if r["event"] == "unknown_connection"
    }
    hints = {
        "windlass_conn_db": "did you mean 'WINDLASS_CONN_DB'?",
        "WINDLASS_CONN_SPAER": "did you mean 'WINDLASS_CONN_SPARE'?",
    }
    assert told == hints
    listed = windlass("-C", root, "connections", env=env)
    assert listed.code == 0
    for name, hint in hints.items():
        assert f"warning: {name} in the environment is of no connection: {hint}" in listed.stderr

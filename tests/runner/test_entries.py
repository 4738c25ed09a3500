"""Tasks of each entry that another task writes, as real processes: every row once, and the same entries after a kill."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import eventually, processes_with

Call = Callable[..., Any]

PIPELINE = """\
pipeline: cities
tasks:
  list:
    copy: {from: {path: in/cities.csv}, to: {path: "out/{{ ds }}.csv"}}
  load:
    for_each: {of: list, name: "{{ each.city }}"}
    copy:
      from: {path: "in/{{ each.file }}"}
      to: {connection: store, table: t, mode: append}
      select: {city: city, n: {from: n, type: integer}}
  wait:
    for_each: {of: list, name: "{{ each.city }}"}
    needs: load
    run: {command: [sh, -c, 'echo "{{ each.city }} $WINDLASS_ENTRY" > "out/{{ each.city }}.txt"; {{ each.then }}']}
  end: {needs: wait, run: {command: [sh, -c, "cat out/*.txt > out/all"]}}
"""
FILES = {
    "windlass.yaml": "project: p\nconnections: {store: {type: sqlite}}\n",
    "pipelines/cities.yaml": PIPELINE,
    "in/cities.csv": "city,file,then\noslo,oslo.csv,true\nbern,bern.csv,test -e go || sleep 600\n",
    "in/oslo.csv": "city,n\noslo,1\noslo,2\n",
    "in/bern.csv": "city,n\nbern,3\n",
}
ROWS = [("bern", 3), ("oslo", 1), ("oslo", 2)]


@pytest.fixture
def root(project: Callable[..., Path]) -> Path:
    """The project, and where its database is."""
    folder = project(FILES)
    (folder / ".env").write_text(f"WINDLASS_CONN_STORE=sqlite:///{folder / 'store.db'}\n")
    return folder


def rows(root: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(root / "store.db")) as connection:
        return connection.execute("SELECT city, n FROM t ORDER BY 1, 2").fetchall()


def test_a_run_that_was_killed_goes_on_with_the_same_entries_and_loads_nothing_twice(
    root: Path, windlass: Call, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    killed = start(root, "run", "cities", "--json")
    try:
        eventually((root / "out/bern.txt").exists)
    finally:
        killed.kill()
        killed.communicate()
    eventually(lambda: processes_with(str(root)) == [])
    [written] = (root / "out").glob("*.csv")
    written.write_text("city,file,then\nrome,oslo.csv,true\n")
    (root / "go").touch()
    (run,) = windlass("-C", root, "runs", "--json").json
    again = windlass("-C", root, "run", "--resume", run["run_id"], "--json")
    assert again.code == 0, again.stderr
    states = {task["task"]: (task["status"], task["attempts"]) for task in again.json["tasks"]}
    assert list(states) == [
        *("list", "load_oslo", "load_bern", "load", "wait_oslo", "wait_bern", "wait", "end")
    ]
    assert {status for status, _ in states.values()} == {"success"}
    assert (states["load_oslo"][1], states["wait_bern"][1]) == (1, 2)
    assert rows(root) == ROWS
    name, _, entry = (root / "out/bern.txt").read_text().partition(" ")
    assert (name, json.loads(entry)["value"]["file"]) == ("bern", "bern.csv")

    assert "wait_bern" in (root / ".windlass/runs" / run["run_id"] / "report.html").read_text()


def test_one_task_at_a_time_as_schedulers_start_them(root: Path, windlass: Call, tmp_path: Path) -> None:
    given = {"WINDLASS_RUN_ID": "r1", "WINDLASS_LOGICAL_DATE": "2026-01-02"}

    def execute(*arguments: str, **env: str) -> Any:
        return windlass("-C", root, "exec", "cities", *arguments, env={**given, **env})

    assert execute("list").code == 0
    listed = execute("load", f"--entries={tmp_path / 'entries.json'}")
    in_file = json.loads((tmp_path / "entries.json").read_text())
    entries = json.loads(listed.stdout.splitlines()[-1])["detail"]["entries"]
    assert [json.loads(entry) for entry in entries] == in_file
    for entry in (*entries, entries[0]):  # the last is another start of the same
        assert execute("load", WINDLASS_ENTRY=entry).code == 0
    assert rows(root) == ROWS
    assert execute("wait", "--entry", entries[0]).code == 0
    assert json.loads((root / "out/oslo.txt").read_text().partition(" ")[2])["name"] == "oslo"
    for wrong, said in (
        (("load",), "is a task of each entry that 'list' writes"),
        (("load", "--entry", "{"), "this is not an entry"),
        (("list", "--entry", entries[0]), "takes no entry"),
        (("list", "--entries"), "has no entries"),
        (("load", "--entries", "--parts"), "exclude each other"),
    ):
        refused = execute(*wrong)
        assert refused.code in (1, 2)
        assert said in refused.stdout

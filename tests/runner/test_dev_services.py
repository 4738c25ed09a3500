"""A run says which dev services it used, uses none where that is forbidden, and passes over no misspelt address."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Output
from windlass.errors import Code

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


# --- what messages go to ---

MESSAGES = {
    "windlass.yaml": """
project: shop
connections:
  chat: {type: slack, channel: "#data"}
  team: {type: teams}
  hook: {type: webhook, body: {says: "{{ text }}", rows: "{{ rows }}"}}
  pager: {type: pagerduty}
  mail: {type: smtp, to: [ada@example.com], tls: implicit}
""",
    "pipelines/p.yaml": """
pipeline: p
on_failure: [pager]
tasks:
  tell: {notify: {query: "SELECT 'site' AS repo", to: [chat, team, hook, mail], message: "{rows} is open: {repo}\\nlook"}}
  break: {needs: tell, run: {command: [sh, -c, "exit 3"]}}
""",
}


def caught(root: Path, name: str) -> list[Any]:
    """What the dev service of that connection was told. Nobody else may read it."""
    file = root / ".windlass/dev" / name / "messages.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_messages_of_every_kind_are_caught_where_nobody_is_configured(
    project: Callable[..., Path], windlass: Call
) -> None:
    root = project(MESSAGES)
    done = windlass("-C", root, "run", "p")
    assert done.code == 3  # of the task that breaks, and of nothing else
    assert "tell   success" in done.stdout
    assert "was not told" not in done.stdout
    records = [json.loads(line) for line in done.stderr.splitlines()]
    told = {(r["to"], r["text"]) for r in records if r["event"] == "message_caught"}
    assert told == {(name, "1 is open: site") for name in ("chat", "team", "hook", "mail")} | {
        ("pager", "p failed (shop)")
    }
    for name in ("chat", "team", "hook", "mail", "pager"):
        assert f"messages to {name} are in {root}/.windlass/dev/{name}/messages.jsonl\n" in done.stdout
    [chat], [team], [hook], [mail], [pager] = (
        caught(root, n) for n in ("chat", "team", "hook", "mail", "pager")
    )
    assert chat["body"]["channel"] == "#data"
    assert chat["body"]["text"].startswith("1 is open: site\nlook\n")
    assert team["body"]["attachments"][0]["content"]["body"][0]["text"] == "1 is open: site"
    assert hook["body"] == {"says": "1 is open: site\nlook", "rows": [{"repo": "site"}]}
    assert (mail["to"], mail["subject"]) == ("ada@example.com", "1 is open: site")
    assert mail["text"].startswith("1 is open: site\nlook\n")
    assert pager["body"]["payload"]["summary"] == "p failed (shop)"
    [run] = windlass("-C", root, "runs", "--json").json
    assert set(run["dev_services"]) == {"chat", "team", "hook", "mail", "pager"}


def test_messages_are_caught_by_nobody_where_that_is_forbidden(
    project: Callable[..., Path], windlass: Call
) -> None:
    root = project(MESSAGES)
    document = windlass("-C", root, "run", "p", "--no-dev", "--json").json
    assert document["tasks"][0]["code"] == Code.NOT_CONFIGURED
    assert [alert["code"] for alert in document["alerts"]] == [Code.NOT_CONFIGURED]
    assert not (root / ".windlass/dev").exists()

"""`notify` tasks: who is told what the data says, and that a rerun tells nobody again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hooks import Web, hooks
from windlass.api.planning import compile_one
from windlass.errors import Code, FatalError, RetryableError, SpecError
from windlass.targets.airflow.telling import NAME, with_telling
from windlass.tasks import notify
from windlass.tasks.context import TaskResult
from windlass.tasks.executing import execute_task
from windlass.tasks.tell import VARIABLE

ROWS = '[{"repo": "site", "alerts": 3}, {"repo": "api", "alerts": 1200}, {"repo": "docs", "alerts": 0}]'


@pytest.fixture
def web() -> Iterator[Web]:
    with hooks() as kept:
        yield kept


Play = Callable[..., TaskResult]


@pytest.fixture
def play(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Execute a task that is a `notify`, as the run of that key."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text(
        "project: shop\nconnections:\n  hook: {type: webhook}\n  other: {type: webhook}\n  lite: {type: sqlite}\n"
    )
    (tmp_path / "rows.json").write_text(ROWS)
    for name in ("HOOK", "OTHER"):
        monkeypatch.setenv(f"WINDLASS_CONN_{name}", f"http://127.0.0.1:{web.port}/{name.lower()}")
    monkeypatch.setenv("WINDLASS_CONN_LITE", f"sqlite:///{tmp_path}/lite.db")

    def play(says: str, run: str = "r1", **how: Any) -> TaskResult:
        file = tmp_path / "pipelines" / "p.yaml"
        file.write_text(f"pipeline: p\nparams: {{who: all}}\ntasks: {{tell: {{notify: {{{says}}}}}}}\n")
        plan = compile_one(tmp_path, "p", {})
        return execute_task(plan, "tell", tmp_path, {**os.environ, "WINDLASS_RUN_ID": run}, **how)

    return play


def texts(web: Web) -> list[str]:
    """What was posted since the last look."""
    found = [f"{where.rpartition('/')[2]}: {body['text']}" for where, _, body in web.posted]
    web.posted.clear()
    return found


def test_rows_are_told_when_the_condition_holds(play: Play, web: Web) -> None:
    result = play(
        'to: hook, path: rows.json, when: "sum(alerts) > 1000", message: "{rows} for {{ params.who }}: {repo}", limit: 2'
    )
    [(_, _, body)] = web.posted
    assert (body["event"], body["pipeline"], body["task"]) == ("notice", "p", "tell")
    assert body["text"] == "3 for all: site"
    assert body["rows"] == [{"repo": "site", "alerts": 3}, {"repo": "api", "alerts": 1200}]
    assert (result.rows_read, result.detail["told"]) == (3, 1)


@pytest.mark.parametrize(
    "says",
    [
        'path: rows.json, when: "max(alerts) > 5000"',
        'query: "SELECT 1 WHERE false"',
        'query: "SELECT 1 AS n WHERE false", when: "max(n) > 0"',
        'connection: lite, query: "SELECT 1 AS n", when: "max(n) > 1"',
    ],
)
def test_nobody_is_told_when_it_does_not(says: str, play: Play, web: Web) -> None:
    result = play(f"to: hook, message: x, {says}")
    assert (result.detail["holds"], result.detail["told"], web.posted) == (False, 0, [])


def test_a_rerun_tells_nobody_again_and_another_run_does(play: Play, web: Web) -> None:
    says = "to: [hook, other], path: rows.json, message: '{rows} rows'"
    for run in ("r1", "r1", "r2"):
        play(says, run)
    assert texts(web) == ["hook: 3 rows", "other: 3 rows"] * 2
    assert play(says, "r2").detail["told"] == 0
    assert play(says, "r2", force=True).detail["told"] == 2


def test_a_message_of_each_row_is_told_once_whatever_the_order(play: Play, web: Web, tmp_path: Path) -> None:
    says = "to: hook, path: rows.json, each: row, message: '{repo} has {alerts}', when: count(*) > 0"
    web.status = 200
    play(says)
    assert texts(web) == ["hook: site has 3", "hook: api has 1200", "hook: docs has 0"]
    (tmp_path / "rows.json").write_text(
        json.dumps([*reversed(json.loads(ROWS)), {"repo": "new", "alerts": 1}])
    )
    play(says)
    assert texts(web) == ["hook: new has 1"]


def test_who_was_told_before_it_broke_is_not_told_again(
    play: Play, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = "to: [hook, other], message: hello"
    with monkeypatch.context() as patched:
        patched.setenv("WINDLASS_CONN_OTHER", "http://127.0.0.1:9/nobody")
        with pytest.raises(RetryableError, match="did not take the message"):
            play(says)
    play(says)
    assert texts(web) == ["hook: hello", "other: hello"]


def test_what_a_scheduler_found_out_is_told_once_and_an_error_names_who_was_not(
    play: Play, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play("to: hook, message: x")
    file = tmp_path / "pipelines" / "p.yaml"
    file.write_text("pipeline: p\non_failure: [hook, other]\ntasks: {a: {run: {command: [date]}}}\n")
    plan = with_telling(compile_one(tmp_path, "p", {}), has_image=False)
    told = {"event": "failure", "project": "shop", "pipeline": "p", "told": [{"task": "a", "what": "broke"}]}
    monkeypatch.setenv(VARIABLE, json.dumps([["hook", told], ["other", told]]))
    web.posted.clear()
    with monkeypatch.context() as patched:
        patched.setenv("WINDLASS_CONN_HOOK", "http://127.0.0.1:9/nobody")
        with pytest.raises(RetryableError, match="hook: the webhook did not take the message"):
            execute_task(plan, NAME, tmp_path)
    execute_task(plan, NAME, tmp_path)
    execute_task(plan, NAME, tmp_path)
    assert [(where, body["title"]) for where, _, body in web.posted] == [
        ("POST /other", "p failed (shop)"),
        ("POST /hook", "p failed (shop)"),
    ]


def test_what_was_told_long_ago_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "_KEPT", 3)
    noted = notify.Noted(tmp_path / "p.tell")
    for key in "abcd":
        noted.add(key)
    assert [noted.has(key) for key in "abcd"] == [False, True, True, True]


@pytest.mark.parametrize(
    ("says", "code", "told"),
    [
        ("path: rows.json, message: x, when: sum(alerts)", Code.CONDITION, "`when` is true or false"),
        ("path: rows.json, message: '{ropo}'", Code.NO_COLUMN, "did you mean 'repo'"),
        ("path: rows.json, message: x, when: sum(nothing) > 1", Code.CANNOT_BE_DONE, "nothing"),
    ],
)
def test_what_cannot_be_told_says_why(says: str, code: Code, told: str, play: Play, web: Web) -> None:
    with pytest.raises(FatalError) as raised:
        play(f"to: hook, {says}")
    assert told in str(raised.value)
    assert (raised.value.code, web.posted) == (code, [])


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("to: lite, message: x", "which takes no alerts"),
        ("to: hook, message: x, when: count(*) > 1", "add `table`, `query`, `path` or `from`"),
        ("to: hook, message: x, path: a.csv, query: SELECT 1", "takes one of"),
        ("to: hook, message: x, table: t", "`table` needs `connection`"),
        ("to: hook", "message"),
        ("message: x", "to"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(says: str, told: str, play: Play) -> None:
    with pytest.raises(SpecError) as raised:
        play(says)
    assert told in str(raised.value)

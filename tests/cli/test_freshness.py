"""`windlass freshness`: what has not succeeded in time is told once, and its next success ends that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.hooks import Web, hooks
from windlass.api.freshness import freshness
from windlass.api.running import RunRequest, run_pipeline
from windlass.cli.main import cli
from windlass.errors import UsageError
from windlass.runner import History
from windlass.runner.clock import SystemClock
from windlass.runner.history import Run
from windlass.state_folder import StateFolder
from windlass.status import Status

PIPELINES = {
    "hourly": "freshness: {within: 2h}\non_missed: hook\non_recovery: hook\n",
    "new": "freshness: {within: 1d}\n",
    "begun": "freshness: {within: 1d}\nstart: 2020-01-01\n",
    "any": "",
}


@pytest.fixture
def web() -> Iterator[Web]:
    with hooks() as kept:
        yield kept


@pytest.fixture
def shop(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose `hourly` has succeeded three hours ago."""
    monkeypatch.setenv("WINDLASS_CONN_HOOK", f"http://127.0.0.1:{web.port}/hooks/T0ken123456")
    (tmp_path / "windlass.yaml").write_text("project: shop\nconnections: {hook: {type: webhook}}\n")
    (tmp_path / "pipelines").mkdir()
    for name, says in PIPELINES.items():
        text = f"pipeline: {name}\n{says}tasks: {{a: {{run: {{command: [sh, -c, 'true']}}}}}}\n"
        (tmp_path / "pipelines" / f"{name}.yaml").write_text(text)
    ended = (datetime.now(UTC) - timedelta(hours=3)).isoformat(timespec="milliseconds")
    run = Run("r1", "hourly", status=Status.SUCCESS, started=ended, ended=ended, logical_date=ended)
    History(StateFolder.of(tmp_path)).save(run)
    return tmp_path


def told(web: Web) -> list[tuple[str, str]]:
    found = [(body["event"], body["title"]) for _, _, body in web.posted]
    web.posted.clear()
    return found


def test_what_is_late_is_told_once_until_it_has_succeeded(shop: Path, web: Web) -> None:
    found = {result.pipeline: result for result in freshness(shop)}
    assert {name: result.state for name, result in found.items()} == {
        "hourly": "late",
        "new": "never ran",
        "begun": "late",
    }
    summary = web.posted[0][2]["summary"]
    assert re.search(r"its last success was 3 h \d+ min ago; it is to succeed every 2 h 0 min", summary)
    assert told(web) == [("missed", "hourly is late (shop)")]
    freshness(shop)
    assert told(web) == []
    run_pipeline(RunRequest(project=shop, pipeline="hourly"))
    assert told(web) == [("recovery", "hourly works again (shop)")]
    assert [result.state for result in freshness(shop, ["hourly"])] == ["fresh"]

    class Later(SystemClock):
        def now(self) -> datetime:
            return super().now() + timedelta(hours=3)

    freshness(shop, ["hourly"], clock=Later())
    assert told(web) == [("missed", "hourly is late (shop)")], "a second time is another incident"


def test_the_command_says_by_its_exit_code_whether_one_is_late(shop: Path, web: Web) -> None:
    def play(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["-C", str(shop), "freshness", *arguments], standalone_mode=False)

    looked = play("--no-alerts")
    assert (looked.return_value, told(web)) == (1, [])
    assert looked.output.splitlines()[0].split() == ["pipeline", "state", "within", "age"]
    assert play("new").return_value == 0
    [result] = json.loads(play("hourly", "--json").stdout)
    assert (result["state"], result["alerts"][0]["connection"]) == ("late", "hook")
    for name, hint in (("any", "says no `freshness`"), ("hourli", "no pipeline 'hourli'")):
        with pytest.raises(UsageError, match=hint):
            freshness(shop, [name])

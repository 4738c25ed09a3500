"""Log records: what is in them, and what never is."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from windlass import logs
from windlass.masking import Secrets
from windlass.runtimes.lines import TaskLog, parse_line


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is logged, in the test; secrets are forgotten after it."""
    monkeypatch.setattr(logs, "SECRETS", Secrets())
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(logs, "_sink", found.append)
    return found


def test_a_record_has_time_level_context_event_and_fields_in_this_order(
    records: list[dict[str, Any]],
) -> None:
    with logs.bind(run="r", pipeline="p"), logs.bind(task="t"):
        logs.info("loaded", rows=5, nothing=None)
    logs.warning("outside")
    assert list(records[0]) == ["time", "level", "run", "pipeline", "task", "event", "rows"]
    assert list(records[1]) == ["time", "level", "event"]


def test_a_secret_is_masked_wherever_it_is(records: list[dict[str, Any]]) -> None:
    logs.add_secret("hunter2")
    logs.add_secret("hunter2-and-more")
    logs.info(
        "x", text="is hunter2-and-more", deep={"hunter2": ["hunter2", ("a hunter2",)]}, path=Path("/hunter2")
    )
    assert "hunter2" not in json.dumps(records)
    assert records[0]["text"] == "is ***"
    assert records[0]["deep"] == {"***": ["***", ["a ***"]]}


def test_a_short_text_is_not_masked(records: list[dict[str, Any]]) -> None:
    for secret in ("", None, "a", "abc"):
        logs.add_secret(secret)
    assert logs.mask("a b c abc") == "a b c abc"


def test_every_record_is_json(records: list[dict[str, Any]]) -> None:
    logs.info(
        "x",
        nan=float("nan"),
        inf=float("-inf"),
        big=10**30,
        path=Path("/a"),
        error=ValueError("v"),
        none=[None],
    )
    text = json.dumps(records[0], allow_nan=False)
    assert json.loads(text)["big"] == 10**30


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_stream_that_is_closed_or_full_does_no_harm() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (closed, FullDisk()):
        logs.json_lines(stream)({"event": "x"})


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ('{"event": "x", "a": 1}', {"event": "x", "a": 1}),
        ("text", {"event": "output", "message": "text"}),
        ("", {"event": "output", "message": ""}),
        ("{", {"event": "output", "message": "{"}),
        ('{"event": 5}', {"event": "output", "message": '{"event": 5}'}),
        ('{"a": 1}', {"event": "output", "message": '{"a": 1}'}),
        ("[1]", {"event": "output", "message": "[1]"}),
    ],
)
def test_a_line_of_a_task_is_a_record_or_output(line: str, record: dict[str, Any]) -> None:
    assert parse_line(line) == record


def test_the_log_of_a_task_is_masked_and_says_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SECRETS", Secrets())
    logs.add_secret('pass"word')
    log = TaskLog(tmp_path / "logs/t.jsonl", {"run": "r", "task": "t"})
    log.write({"event": "output", "message": 'the pass"word', "task": "another", "run": "another"})
    log.close()
    (line,) = (tmp_path / "logs/t.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert (record["message"], record["run"], record["task"]) == ("the ***", "r", "t")

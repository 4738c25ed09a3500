"""The lines of a task as log records: whatever it prints, none of them fails it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from windlass.runtimes.lines import TaskLog, parse_line

DEEP = 20_000


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "a", "x": ' + "[" * DEEP + "]" * DEEP + "}",
        '{"event": "a", "x": ' + "[" * 300 + "]" * 300 + "}",
        '{"event": "a", "x": ' + '{"y": ' * 300 + "1" + "}" * 300 + "}",
        '{"event": "a", "x": "\\ud800"}',
        '{"event": "a", "\\udfff": 1}',
        '{"event": 1}',
        '{"no": "event"}',
        "{",
        "{}",
        "",
        "[]",
        "\x00\x1b[2J\ufffd",
    ],
    ids=range(12),
)
def test_a_line_that_is_no_record_is_output(line: str, tmp_path: Path) -> None:
    record = parse_line(line)
    assert record == {"event": "output", "message": line}
    log = TaskLog(tmp_path / "log", {"task": "a"})
    log.write(record)
    log.close()
    assert json.loads((tmp_path / "log").read_text())["message"] == line


@pytest.mark.parametrize(
    "record",
    [
        {"event": "a", "x": [[{"y": "[[[{{{" * 100}]]},
        {"event": "a", "time": 5, "level": ["odd"], "task": None, "x": float("nan")},
        {"event": "result", "rows_read": 10**30, "detail": []},
        {"event": "a", "many": [[i] for i in range(1000)]},
    ],
    ids=range(4),
)
def test_a_record_is_logged_however_odd_it_is(record: dict[str, object], tmp_path: Path) -> None:
    parsed = parse_line(json.dumps(record))
    assert parsed["event"] == record["event"]
    log = TaskLog(tmp_path / "log", {"task": "a"})
    log.write(parsed)
    log.close()
    assert json.loads((tmp_path / "log").read_text())["event"] == record["event"]

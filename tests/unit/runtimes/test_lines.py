"""The lines of a task as log records: whatever it prints, none of them fails it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
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


@pytest.mark.parametrize(
    ("said", "level"),
    [
        *((word, word) for word in ("debug", "info", "warning", "error")),
        *(
            ("WARN", "warning"),
            ("Critical", "error"),
            ("fatal", "error"),
            ("trace", "debug"),
            ("notice", "info"),
        ),
        *((10, "debug"), (30, "info"), (40, "warning"), (50, "error"), (60, "error")),
        *((None, "info"), ("", "info"), ("loud", "info"), (True, "info"), ({}, "info"), (["error"], "info")),
    ],
)
def test_the_level_of_a_record_is_one_of_ours(said: object, level: str, tmp_path: Path) -> None:
    log = TaskLog(tmp_path / "log", {"task": "a"})
    log.write(parse_line(json.dumps({"event": "a", "level": said})))
    log.close()
    assert json.loads((tmp_path / "log").read_text())["level"] == level


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678000Z"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
        ("2026-01-02T03:04:05", None),
        ("0001-01-01T00:00+09:00", None),
        ("now", None),
        ("", None),
        (None, None),
        (1767323045000, None),
        ({}, None),
    ],
)
def test_the_time_of_a_record_is_in_utc(said: object, time: str | None, tmp_path: Path) -> None:
    log = TaskLog(tmp_path / "log", {"task": "a"})
    before = datetime.now(UTC) - timedelta(seconds=1)
    log.write(parse_line(json.dumps({"event": "a", "time": said})))
    log.close()
    logged = json.loads((tmp_path / "log").read_text())["time"]
    assert logged.endswith("Z")
    if time is not None:
        assert datetime.fromisoformat(logged) == datetime.fromisoformat(time)
    else:
        assert datetime.fromisoformat(logged) >= before

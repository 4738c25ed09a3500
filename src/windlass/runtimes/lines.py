"""The lines that a task prints, taken as log records.

A line that is a JSON object with an `event` is a record already; any other is one whose event is
`output`, also one that no log could take: nothing that a task prints makes it fail. Two events are for
the runner and not for the log: `progress` and `result`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from windlass import logs

__all__ = ["TaskLog", "parse_line"]

_DEEPEST = 50


def parse_line(line: str) -> logs.Record:
    """The record in a line, or one around it."""
    if line.startswith("{"):
        with suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict) and isinstance(record.get("event"), str):
                _require_shallow(line, record)
                json.dumps(record, ensure_ascii=False).encode()  # half a surrogate pair is not text
                return record
    return {"event": "output", "message": line}


def _require_shallow(line: str, record: object) -> None:
    """Raise ValueError where the parts of a record are inside each other too deeply for whoever looks into it."""
    if line.count("[") + line.count("{") <= _DEEPEST:
        return
    level: list[Any] = [record]
    depth = 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError("too deep")
        parts = [value.values() if isinstance(value, dict) else value for value in level]
        level = [part for values in parts for part in values if isinstance(part, dict | list)]


class TaskLog:
    """The log file of one attempt: JSON lines, secrets masked."""

    def __init__(self, file: Path, context: Mapping[str, object]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = file.open("a", encoding="utf-8")
        self._context = context

    def write(self, record: logs.Record) -> logs.Record:
        """Add the record, completed by the run's context. Returns it as it was written."""
        rest = {key: value for key, value in record.items() if key not in ("time", "level", *self._context)}
        whole: logs.Record = {
            "time": record.get("time") or logs.timestamp(),
            "level": record.get("level") or "info",
            **self._context,
            **rest,
        }
        masked = {logs.mask(key): logs.masked(value) for key, value in whole.items()}
        self._file.write(json.dumps(masked, ensure_ascii=False) + "\n")
        self._file.flush()
        return masked

    def close(self) -> None:
        self._file.close()

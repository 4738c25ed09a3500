"""The lines that a task prints, taken as log records.

A line that is a JSON object with an `event` is a record already; any other is one whose event is
`output`. Two events are for the runner and not for the log: `progress` and `result`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from windlass import logs

__all__ = ["TaskLog", "parse_line"]


def parse_line(line: str) -> logs.Record:
    """The record in a line, or one around it."""
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except ValueError:
            pass
        else:
            if isinstance(record, dict) and isinstance(record.get("event"), str):
                return record
    return {"event": "output", "message": line}


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

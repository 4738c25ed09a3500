"""The lines that a task prints, taken as log records.

A line that is a JSON object with an `event` is a record already; any other is one whose event is
`output`, also one that no log could take: nothing that a task prints makes it fail. Two events are for
the runner and not for the log: `progress` and `result`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

from windlass import logs
from windlass.errors import reason_of
from windlass.kept_log import KeptLog
from windlass.printable import one_line_of_json
from windlass.runtimes.splitting import left_out_of, note_of

__all__ = ["Logged", "TaskLog", "is_output", "parse_line", "shortened"]

_LONGEST = 1 << 16
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


def shortened(texts: Sequence[str]) -> list[str]:
    """The texts of lines without secrets, as far as anybody would read them."""
    return [_cut(text) for text in logs.mask_all(texts)]  # which may be in the middle of a secret


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    whole, more = left_out_of(text)
    return f"{text[:_LONGEST]}{note_of(len(whole) - _LONGEST + more)}"


class Logged(NamedTuple):
    """A record as it was logged, without secrets, and its line of JSON with its end."""

    record: logs.Record
    line: str


class TaskLog:
    """The log file of one attempt: JSON lines, secrets masked. A disk that is full leaves it as it is."""

    def __init__(self, file: Path, context: Mapping[str, object]) -> None:
        self._context = context
        self._file: KeptLog | None = None
        with self._losing():
            self._file = KeptLog(file, self._note)

    def write(self, record: logs.Record) -> logs.Record:
        """Add the record, completed by the run's context. Returns it as it was written."""
        return self.write_all((record,))[0].record

    def write_all(self, records: Sequence[logs.Record]) -> list[Logged]:
        """Add the records, completed by the run's context."""
        whose = self._whose("info", logs.timestamp())
        output = _Output(whose)
        printed = [is_output(record) for record in records]
        messages = iter(shortened([str(record["message"]) for record in compress(records, printed)]))
        written = [
            output.logged(next(messages)) if is_printed else self._logged(record, whose)
            for record, is_printed in zip(records, printed, strict=True)
        ]
        with self._losing():
            if self._file is not None:
                self._file.write([line for _, line in written])
        return written

    def close(self) -> None:
        with self._losing():
            if self._file is not None:
                self._file.close()

    def _logged(self, record: logs.Record, whose: logs.Record) -> Logged:
        rest = {key: value for key, value in record.items() if key not in whose}
        own: logs.Record = {"time": logs.time_of(record.get("time")) or whose["time"]}
        if "level" in record:
            own["level"] = logs.level_of(record["level"])
        masked = {logs.mask(key): logs.masked(value) for key, value in {**whose, **own, **rest}.items()}
        return Logged(masked, f"{one_line_of_json(masked)}\n")

    def _whose(self, level: str, time: str) -> logs.Record:
        return {"time": time, "level": level, **self._context}

    def _note(self, lines: int, size: int) -> str:
        told = {
            **self._whose("warning", logs.timestamp()),
            "event": "left_out",
            "lines": lines,
            "bytes": size,
        }
        return f"{one_line_of_json(told)}\n"

    @contextmanager
    def _losing(self) -> Iterator[None]:
        """What cannot be written, because the disk is full or the folder gone, is lost: it fails no task."""
        try:
            yield
        except OSError as exc:
            self._file = None
            logs.warning("log_incomplete", task=self._context.get("task"), because=reason_of(exc))


def is_output(record: logs.Record) -> bool:
    """Whether it is made of a line that was no record, or says no more than such a one."""
    return record["event"] == "output" and len(record) == 2 and isinstance(record.get("message"), str)


class _Output:
    """Logs lines that are not records, of which there may be very many, with what they have in common."""

    def __init__(self, whose: logs.Record) -> None:
        self._record = {key: logs.masked(value) for key, value in whose.items()} | {"event": "output"}
        self._begins = one_line_of_json(self._record).removesuffix("}")

    def logged(self, message: str) -> Logged:
        line = f'{self._begins}, "message": {one_line_of_json(message)}}}\n'
        return Logged({**self._record, "message": message}, line)

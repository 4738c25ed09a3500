"""The end of an attempt's log, as lines to read. A log may be of any size; only its two ends are looked at."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec import Struct

from windlass.kept_log import last_piece
from windlass.pages.clipping import clipped

__all__ = ["Line", "LogEnd", "log_end", "servers_in"]

_LONGEST = 400
_BYTES_A_LINE = 1000
_BEGINNING = 1 << 16
_CONTEXT = ("time", "level", "run", "pipeline", "task", "attempt", "event", "message")
_TOLD_ELSEWHERE = ("detail", "retryable")


class Line(Struct, frozen=True):
    """One record: when, how bad, what, and the rest of its fields."""

    time: str
    level: str
    event: str
    """Empty for what a step printed."""

    message: str
    fields: tuple[tuple[str, str], ...] = ()


class LogEnd(Struct, frozen=True):
    """The last lines of a log."""

    lines: tuple[Line, ...]
    whole: bool
    """Whether these are all that there are."""


def log_end(file: Path, count: int) -> LogEnd:
    """At most `count` lines; none when there is no file."""
    try:
        piece = last_piece(file)
        with piece.open("rb") as log:
            length = log.seek(0, 2)
            start = max(length - count * _BYTES_A_LINE, 0)
            log.seek(start)
            text = log.read().decode("utf-8", "replace")
    except (OSError, ValueError):  # a name with a NUL is not a file
        return LogEnd((), whole=True)
    lines = text.splitlines()[1 if start else 0 :]
    shown = lines[-count:]
    return LogEnd(tuple(map(_line, shown)), whole=start == 0 and piece == file and len(shown) == len(lines))


def servers_in(file: Path) -> list[str]:
    """The servers that an attempt found itself connected to: `PostgreSQL 18.1`."""
    try:
        with file.open("rb") as log:
            lines = log.read(_BEGINNING).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError):  # a name with a NUL is not a file
        return []
    records = [_record(line) for line in lines if '"connected"' in line]
    return [str(record["server"]) for record in records if record and "server" in record]


def _line(text: str) -> Line:
    record = _record(text)
    if record is None:
        return Line("", "info", "", clipped(text, _LONGEST))
    event = str(record.get("event", ""))
    fields = tuple(
        (str(key), clipped(_said(value), _LONGEST))
        for key, value in record.items()
        if key not in (*_CONTEXT, *_TOLD_ELSEWHERE) and value not in (None, "", {}, [])
    )
    return Line(
        time=str(record.get("time", ""))[11:23],
        level=str(record.get("level", "info")),
        event="" if event == "output" else event,
        message=clipped(str(record.get("message", "")), _LONGEST),
        fields=fields,
    )


def _record(line: str) -> dict[str, object] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

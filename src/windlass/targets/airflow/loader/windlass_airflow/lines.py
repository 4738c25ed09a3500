"""What a task says on its stdout: its log, its result, its failure."""

from __future__ import annotations

import json
import logging
import re
import signal
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from airflow.sdk import Asset

from .bundle import Json
from .connections import hidden
from .names import AirflowException, AirflowFailException

__all__ = ["ERROR", "NUMBERS", "Listener", "finished", "note_assets", "numbers"]

ERROR = "error"  # the XCom in which a failed task leaves its error for the alert
_PROGRESS_EVERY = 15.0
NUMBERS = ("rows_read", "rows_written", "rows_quarantined", "bytes")
_DETAIL = (
    "address",
    "parts",
    "entries",
    "columns_added",
    "columns_missing",
    "columns_widened",
)  # that XCom has, too
_LAST_LINES, _LONGEST_LINE = 5, 250  # of a command that failed, which may say there why
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r"\s+(at |\.\.\. \d+ more)|Node\.js v\d")  # of Node.js and Java, below the message
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_RETRYABLE = 3  # the exit code of windlass for what may work later


class Listener:
    """Reads the lines that a task prints: shows them in Airflow's log, keeps its result and its failure."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._progress = time.monotonic()
        self.result: Json = {}
        self.failure: Json = {}
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._in_traceback = False

    def take(self, line: str) -> None:
        level, text = self.read(line)
        if text:
            self._log.log(level, "%s", text)

    def read(self, line: str) -> tuple[int, str]:
        """The level and the text that a line has for people; no text for one that says nothing new."""
        level, text = self._read(line)
        return level, hidden(text)

    def _read(self, line: str) -> tuple[int, str]:
        record = _record(line)  # secrets are hidden afterwards: a password may be a word such as "event"
        event = record["event"]
        if event == line:
            self._hear(line)
        level = logging.getLevelNamesMapping().get(str(record.get("level", "info")).upper(), logging.INFO)
        if event == "result":
            self.result = record
            return logging.INFO, numbers(record)
        if event == "failed":
            self.failure = record
            code = f"error[{record['code']}]: " if "code" in record else ""
            return logging.ERROR, f"{code}{record.get('error')}"
        if event == "traceback":
            return logging.ERROR, str(record.get("text"))
        if event == "progress":
            if time.monotonic() - self._progress < _PROGRESS_EVERY:
                return level, ""
            self._progress = time.monotonic()
        return level, _readable(record)

    def summary(self) -> Json:
        """The result as XCom has it."""
        kept = {name: self.result[name] for name in (*NUMBERS, "path") if self.result.get(name) is not None}
        detail = self.result.get("detail") or {}
        kept |= {name: detail[name] for name in _DETAIL if name in detail}
        hide: Json = _hidden(kept)
        return hide

    def error(self, code: int) -> str:
        """What went wrong, without a secret in it."""
        return hidden(str(self.failure.get("error") or f"{_exit_code(code)}{self._last_words(code)}"))

    def _hear(self, line: str) -> None:
        """Keep a line for the error of a command that says no more; of a traceback the exception, and what follows it."""
        if line.startswith(_TRACEBACK):
            self._last_lines.clear()
            self._in_traceback = True
        elif line.strip() and not (self._in_traceback and line[0].isspace()) and not _FRAME.match(line):
            self._in_traceback = False
            self._last_lines.append(hidden(line.rstrip()))  # before it is cut

    def _last_words(self, code: int) -> str:
        if -code in _FROM_OUTSIDE:  # of the end that came so they say nothing
            return ""
        shown = (
            line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in self._last_lines
        )
        return "".join(f"\n    {line}" for line in shown)

    def check(self, kind: str, code: int) -> None:
        """Raise for a task that ended with that exit code, unless it is 0; not to be retried where that cannot help.

        A task that was stopped is: whoever wanted its end, by Airflow, has told Airflow so.
        """
        if code == 0:
            return
        error = self.error(code)
        may_work_later = code == _RETRYABLE or kind in ("run", "service")
        if _was_stopped(kind, code) or self.failure.get("retryable", may_work_later):
            raise AirflowException(error)
        raise AirflowFailException(error)


def _hidden(value: Any) -> Any:
    """The value without secrets in its texts."""
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, dict):
        return {key: _hidden(part) for key, part in value.items()}
    return [_hidden(part) for part in value] if isinstance(value, list) else value


def _was_stopped(kind: str, code: int) -> bool:
    """Whether a signal ended the task: an eviction, a machine that shuts down, `docker stop`, too little memory.

    The codes above 128 are windlass's own for that, and an engine's; another command's may mean anything.
    """
    return code < 0 or (kind != "run" and 128 < code <= 128 + signal.NSIG)


def _record(line: str) -> Json:
    """A line as a log record: the JSON object in it, else its text."""
    if line.startswith("{"):
        with suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict) and "event" in record:
                return record
    return {"event": line}


_CONTEXT = ("time", "level", "event", "run", "pipeline", "task", "attempt")


def _readable(record: Json) -> str:
    fields = (f"{name}={value}" for name, value in record.items() if name not in _CONTEXT)
    return " ".join([str(record["event"]), *fields])


def numbers(result: Json) -> str:
    """What a task did, for people."""
    words = {
        "rows_read": "rows read",
        "rows_written": "written",
        "rows_quarantined": "quarantined",
        "bytes": "bytes",
    }
    said = [f"{result[name]:,} {words[name]}" for name in NUMBERS if isinstance(result.get(name), int)]
    return "done: " + (", ".join(said) or "success") + (f" ({result['path']})" if result.get("path") else "")


def _exit_code(code: int) -> str:
    """How a process ended, in words; `code` is minus the signal that ended it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # one of those that have only a number
        return f"killed by signal {-code}"


def finished(operator: Any, listener: Listener, code: int, context: Mapping[str, Any]) -> Any:
    """What a task that has ended with that exit code leaves in XCom: its summary, or the parts or entries that it lists.

    Raises for one that failed.
    """
    if code != 0:
        context["ti"].xcom_push(key=ERROR, value=listener.error(code))
    listener.check(operator.job["kind"], code)
    summary = listener.summary()
    note_assets(context, operator.outlets, summary)
    return summary.get("parts", summary.get("entries", summary))


def note_assets(context: Mapping[str, Any], outlets: Sequence[Asset], summary: Json) -> None:
    """Put rows and bytes on the events of the assets that the task has written."""
    for outlet in outlets:
        context["outlet_events"][outlet].extra = {k: v for k, v in summary.items() if k in NUMBERS}

"""What a step printed last: of a command that failed, the cause is there, and its exit code tells nothing."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import dropwhile

from windlass import logs
from windlass.printable import printable
from windlass.runtimes.lines import is_output

__all__ = ["LastWords"]

_HEARD = 200  # lines: a traceback, and what was said after it
_LINES, _LONGEST = 5, 250  # which an alert shows whole
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r"\s+(at |\.\.\. \d+ more)|Node\.js v\d")  # of Node.js and Java, below the message


class LastWords:
    """Listens to a step, and tells in the end what it said last."""

    def __init__(self) -> None:
        self._heard: deque[logs.Record] = deque(maxlen=_HEARD)

    def hear(self, records: Sequence[logs.Record]) -> None:
        self._heard.extend(records[-_HEARD:])

    def after(self, code: int) -> str:
        """The same for a step that ended with that exit code, or by minus that signal; empty if it was ended from outside."""
        return "" if -code in _FROM_OUTSIDE else str(self)

    def __str__(self) -> str:
        """The lines, each below the message that this is added to, without secrets; empty where nothing was said."""
        said = logs.mask_all([text for record in self._heard for text in _texts(record)])  # before any is cut
        lines = [printable(line).rstrip() for text in said for line in text.splitlines()]
        shown = _without_frames([line for line in lines if line])[-_LINES:]
        return "".join(f"\n    {line if len(line) <= _LONGEST else f'{line[:_LONGEST]}…'}" for line in shown)


def _texts(record: logs.Record) -> Iterable[str]:
    """The text of a line that was no record; of a record only that of an error."""
    if is_output(record):
        return [str(record["message"])]
    if str(record.get("level")).lower() in ("error", "critical", "fatal"):
        told = (record["event"], record.get("message"), record.get("error"))
        return [": ".join(str(text) for text in told if text)]
    return []


def _without_frames(lines: list[str]) -> list[str]:
    """The lines without where in the code it was: of a traceback of Python only the exception, and what follows."""
    if _TRACEBACK in lines:
        last = len(lines) - lines[::-1].index(_TRACEBACK)
        lines = [*dropwhile(lambda line: line[0].isspace(), lines[last:])] or lines
    return [line for line in lines if not _FRAME.match(line)] or lines

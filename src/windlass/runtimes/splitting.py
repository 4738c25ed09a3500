"""What a process prints, as lines: of any size and shape, in a bounded amount of memory.

A line longer than any that anybody reads is cut, and says so. What a progress bar prints between carriage returns
was never meant to stay: each such state is progress, and the last one before the line ends is the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO

__all__ = ["batches_of", "left_out_of", "note_of"]

_CHUNK = 1 << 16
_LONGEST = 1 << 20
"""Bytes of a line that are kept: a record, such as a result with its bad rows, may be long."""


def batches_of(output: IO[bytes]) -> Iterator[list[str]]:
    """Lines without their ends, as many at once as have come, as soon as they come."""
    splitter = _Splitter()
    while chunk := output.read1(_CHUNK):  # type: ignore[attr-defined] # of a pipe, which is buffered
        if lines := splitter.take(chunk):
            yield lines
    if splitter.has_more:
        yield splitter.take(b"\n")


def note_of(more: int) -> str:
    """The end of a line that was cut."""
    return f" … ({more:,} more bytes)"


def left_out_of(line: str) -> tuple[str, int]:
    """A line without such a note, and how much it tells was left out."""
    note = re.search(r" … \(([\d,]+) more bytes\)$", line[-50:])
    return (line[: -len(note[0])], int(note[1].replace(",", ""))) if note else (line, 0)


class _Splitter:
    def __init__(self) -> None:
        self._rest = bytearray()
        self._left_out = 0

    @property
    def has_more(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._rest)

    def take(self, chunk: bytes) -> list[str]:
        """The lines that end in the chunk, and the state of a progress bar."""
        ended, newline, begun = chunk.rpartition(b"\n")
        lines = self._ended(ended) if newline else []
        kept = begun[: _LONGEST - len(self._rest)]
        self._rest += kept
        self._left_out += len(begun) - len(kept)
        return lines + self._progress() if b"\r" in begun else lines

    def _ended(self, ended: bytes) -> list[str]:
        told = ""
        if self._left_out:
            more, newline, others = ended.partition(b"\n")
            told, ended = note_of(self._left_out + len(more)), newline + others
        text = (bytes(self._rest) + ended).decode("utf-8", "replace")
        lines = [_last_state(line) if "\r" in line else line for line in text.split("\n")]
        lines[0] += told
        self._rest.clear()
        self._left_out = 0
        return lines

    def _progress(self) -> list[str]:
        """The latest state that is whole, which is forgotten; the next one is what has begun."""
        states, found, begun = bytes(self._rest[:-1]).rpartition(b"\r")
        if not found:
            return []
        self._rest[:] = begun + self._rest[-1:]
        state = _last_state(states.decode("utf-8", "replace"))
        return [json.dumps({"event": "progress", "message": state})] if state else []


def _last_state(line: str) -> str:
    """What stands there at last of what was written over itself; CRLF ends a line as LF does."""
    return next((state for state in reversed(line.split("\r")) if state), "")

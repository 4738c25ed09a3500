"""A log file that does not grow without end: its beginning and its end are kept, and what was left out is told.

FILE has the beginning. What comes later goes to FILE.1 and FILE.2 in turn: when one is full, the older one goes.
Each begins with a line that says how much stands between the beginning and it, so that a log is readable at any time,
also of a process that was killed. Once closed, all of it is in FILE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

__all__ = ["KeptLog", "last_piece", "read_log"]

_BEGINNING = 8 << 20
_SEGMENT = 4 << 20  # one or two of them are the end


class KeptLog:
    """Lines that are added to a file. `note(lines, bytes)` makes the line, with its end, that says what was left out."""

    def __init__(
        self,
        file: Path,
        note: Callable[[int, int], str],
        *,
        beginning: int = _BEGINNING,
        segment: int = _SEGMENT,
    ) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._note = file, note
        self._beginning, self._segment = beginning, segment
        self._out: IO[bytes] = file.open("ab")
        self._room = beginning - file.stat().st_size
        self._is_beginning = True
        self._later = [0, 0]  # lines and bytes after the beginning

    def write(self, lines: list[str]) -> None:
        """Add lines, each with its end, and have them in the file."""
        data = "".join(lines).encode("utf-8", "replace")
        if self._room < len(data) and (self._room < self._beginning or not self._is_beginning):
            self._begin_segment()
        self._out.write(data)
        self._out.flush()
        self._room -= len(data)
        if not self._is_beginning:
            self._later = [self._later[0] + len(lines), self._later[1] + len(data)]

    def close(self) -> None:
        """Put the end behind the beginning."""
        self._out.close()
        segments = [segment for segment in _segments(self._file) if segment.exists()]
        if self._is_beginning or not segments:
            return
        with self._file.open("ab") as whole:
            for line in _end_of(segments):
                whole.write(line)
        for segment in segments:
            segment.unlink()

    def _begin_segment(self) -> None:
        self._out.close()
        older, newer = _segments(self._file)
        with suppress(FileNotFoundError):
            newer.replace(older)
        self._out = newer.open("wb")
        self._out.write(self._note(*self._later).encode())
        self._room, self._is_beginning = self._segment, False


def last_piece(file: Path) -> Path:
    """The file that has the last lines of a log."""
    older, newer = _segments(file)
    return next((piece for piece in (newer, older) if piece.exists()), file)


def read_log(file: Path) -> Iterator[bytes]:
    """The lines of a log, with their ends; nothing where there is none. Its process may be writing it, or dead."""
    with suppress(FileNotFoundError), file.open("rb") as beginning:
        yield from beginning
    with suppress(FileNotFoundError):
        yield from _end_of([segment for segment in _segments(file) if segment.exists()])


def _end_of(segments: list[Path]) -> Iterator[bytes]:
    """The lines of the segments, the first after the note of what was left out before it, if anything was."""
    for number, segment in enumerate(segments):
        with segment.open("rb") as lines:
            note = next(lines, b"")
            if number == 0 and b'"lines": 0,' not in note:
                yield note
            yield from lines


def _segments(file: Path) -> tuple[Path, Path]:
    """The older and the newer."""
    return file.with_name(f"{file.name}.1"), file.with_name(f"{file.name}.2")

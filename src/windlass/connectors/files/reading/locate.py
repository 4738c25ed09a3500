"""Finds the line and offset of a record in a CSV file, by the record's number.

Only needed when a file has bad rows: the copy knows a row by its position among those that the reader
understood. Records are found a chunk at a time, by counting quotes and delimiters with numpy; a record
that the reader must have rejected for its number of fields is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from windlass.connectors.files.paths import open_bytes

__all__ = ["RecordLocator", "line_numbers"]

_CHUNK = 8 << 20


def line_numbers(path: Path, offsets: Sequence[int]) -> list[int]:
    """The line, counted from 1, of each of some ascending byte offsets."""
    lines: list[int] = []
    with open_bytes(path) as file:
        line, position = 1, 0
        for offset in offsets:
            while position < offset:
                chunk = file.read(min(_CHUNK, offset - position))
                if not chunk:
                    break
                line += chunk.count(b"\n")
                position += len(chunk)
            lines.append(line)
    return lines


class RecordLocator:
    """Goes through the records of some files in order. Ask for ascending numbers."""

    def __init__(
        self,
        paths: Sequence[Path],
        delimiter: str,
        quote: str,
        escape: str | None,
        *,
        columns: int,
        header: bool,
    ) -> None:
        self._delimiter, self._quote = ord(delimiter), ord(quote)
        self._escape = ord(escape) if escape is not None and escape != quote else None
        self._columns, self._header = columns, header
        self._chunks = self._read(paths)
        self._before = 0
        self._path, self._offsets, self._lines = "", [0][:0], [0][:0]

    def find(self, number: int) -> tuple[str, int, int] | None:
        """Path, line and byte offset of the record with that number, counted from 0; None past the end."""
        while number >= self._before + len(self._offsets):
            self._before += len(self._offsets)
            chunk = next(self._chunks, None)
            if chunk is None:
                self._offsets = self._lines = []
                return None
            self._path, self._offsets, self._lines = chunk
        index = number - self._before
        return self._path, int(self._lines[index]), int(self._offsets[index])

    def _read(self, paths: Sequence[Path]) -> Iterator[tuple[str, Any, Any]]:
        for path in paths:
            with open_bytes(path) as file:
                skip = 1 if self._header else 0
                for offsets, lines in self._records(file):
                    yield str(path), offsets[skip:], lines[skip:]
                    skip = max(skip - len(offsets), 0)

    def _records(self, file: IO[bytes]) -> Iterator[tuple[Any, Any]]:
        """The offsets and lines of the records of each chunk; a record split by its end goes to the next."""
        import numpy as np

        rest, position, line = b"", 0, 1
        while True:
            chunk = file.read(_CHUNK)
            data = np.frombuffer(rest + chunk, np.uint8)
            if not len(data):
                return
            ends = self._record_ends(data, final=not chunk)
            if len(ends):
                begins = np.concatenate(([0], ends[:-1]))
                newlines = np.concatenate(([0], np.cumsum(data == 10)))
                good = self._accepted(data, begins, ends)
                yield position + begins[good], line + newlines[begins[good]]
                line += int(newlines[ends[-1]])
                position += int(ends[-1])
                rest = data[ends[-1] :].tobytes()
            else:
                rest = data.tobytes()
            if not chunk:
                return

    def _record_ends(self, data: Any, *, final: bool) -> Any:
        """Where the next record would begin, after each whole record in the data."""
        import numpy as np

        line_end = (data == 10) | ((data == 13) & (np.append(data[1:], 0) != 10))
        ends = np.flatnonzero(line_end & ~self._quoted(data)) + 1
        if final and (not len(ends) or ends[-1] < len(data)):
            ends = np.append(ends, len(data))
        return ends

    def _accepted(self, data: Any, begins: Any, ends: Any) -> Any:
        """Which records are neither blank, nor of another number of fields than the header, nor still open."""
        import numpy as np

        quoted = self._quoted(data)
        delimiters = np.concatenate(([0], np.cumsum((data == self._delimiter) & ~quoted)))
        fields = delimiters[ends] - delimiters[begins] + 1
        visible = np.concatenate(([0], np.cumsum((data != 10) & (data != 13))))
        lone_extra = (fields == self._columns + 1) & self._ends_with_delimiter(data, begins, ends)
        right = ((fields == self._columns) | lone_extra) & ~quoted[ends - 1]
        return right & (visible[ends] > visible[begins])

    def _ends_with_delimiter(self, data: Any, begins: Any, ends: Any) -> Any:
        """DuckDB forgives an empty field after the last delimiter."""
        import numpy as np

        last = ends - 1
        for _ in range(2):
            last = np.where((last > begins) & np.isin(data[last], (10, 13)), last - 1, last)
        return data[last] == self._delimiter

    def _quoted(self, data: Any) -> Any:
        """Which bytes stand inside quotes."""
        import numpy as np

        quotes = data == self._quote
        if self._escape is not None:
            quotes[1:] &= data[:-1] != self._escape
        return np.cumsum(quotes) % 2 == 1

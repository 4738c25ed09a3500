"""Where quotes begin and end in large CSV files, which DuckDB's reader does not always find out.

It reads a file in pieces of some megabytes at the same time, and has to guess whether a piece begins
inside a quoted field. Where quoted fields contain line ends it may guess wrong, and then takes text for
rows without a word. So such files are looked for, and read in one piece. Doing that, it says nothing of
a quote that is still open at the end of the file; `unterminated` finds it. And of a line that is longer than
such a piece it says nothing either: the row would be lost.
"""

from __future__ import annotations

import csv
import io
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TypeAlias

from windlass.connectors.files.formats import compression_of
from windlass.connectors.files.paths import open_bytes
from windlass.connectors.files.reading.csv_header import Dialect
from windlass.connectors.files.reading.csv_quotes import Quotes
from windlass.connectors.files.reading.csv_rewriting import has_several_line_ends
from windlass.connectors.files.reading.csv_spaces import Spaces
from windlass.connectors.rows import MisfitError
from windlass.errors import FatalError

__all__ = ["LONGEST_LINE", "LineEndsInQuotes", "Records", "first_record_end", "line_end_of", "unterminated"]

_ONE_PIECE = 4 << 20  # smaller files are read in one piece anyway
_CHUNK = 256 << 10  # stays in the cache of a core
_LONG_LINE = 16 << 20  # half of a piece
LONGEST_LINE = 160 << 20
"""Longer lines cannot be read."""
_AT_ONCE = 2 << 20  # so much is looked at before anything is read, the rest meanwhile


Refusal: TypeAlias = Callable[[Path, int, str, str], FatalError]


class LineEndsInQuotes:
    """Looks through files for line ends within quotes, and for a quote that is still open at the end.

    Also finds compressed files that are damaged, lines that are longer than what is read at once, lines that end in
    several ways, and spaces beside quotes unless they may be `skipped`. What is refused is told to `refusal`: a file, an offset, the message and a hint.

    A quote in the middle of a field that is not quoted counts like any other: then a file is read in
    one piece without need. `found` says what was found so far.
    """

    def __init__(
        self, paths: Sequence[Path], dialect: Dialect, refusal: Refusal, *, skips_spaces: bool
    ) -> None:
        self._dialect, self._refusal, self._skips_spaces = dialect, refusal, skips_spaces
        self._quote = dialect.quote.encode()
        self.found = False
        self.odd: list[Path] = []  # files with an odd number of quotes
        self._line = self._longest_line = 0  # bytes: of the line that goes on, and of the longest
        self.several = False  # kinds of line ends
        self._failure: BaseException | None = None
        self._work = self._steps(paths)
        self._thread: threading.Thread | None = None

    def begin(self) -> bool:
        """Look at the beginning; the rest follows in the background. Returns whether some were found."""
        seen = 0
        for step in self._work:
            seen += step
            if self.found or seen >= _AT_ONCE:
                break
        else:
            return self.found
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()
        return self.found

    def finish(self, *, in_one_piece: bool) -> None:
        """Wait for the rest. Raises MisfitError if it has what can only be read in one piece, and FatalError for
        what cannot be read."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            raise self._failure
        if self.found and not in_one_piece:
            raise MisfitError("quoted fields contain line ends")
        if self._longest_line > _LONG_LINE:
            raise MisfitError(f"a line is longer than {_LONG_LINE:,} bytes")

    def _look_on(self) -> None:
        try:
            for _ in self._work:
                pass
        except Exception as exc:  # noqa: BLE001 - it is raised again by `finish`
            self._failure = exc

    def _steps(self, paths: Sequence[Path]) -> Iterator[int]:
        """The bytes that were looked at, step by step."""
        for path in paths:
            is_small = compression_of(str(path)) is None and path.stat().st_size < _ONE_PIECE
            ends = _LineEnds()
            yield from (self._look_at_whole if is_small else self._look_through)(path, ends)
            self._look_for_kinds(path, ends)

    def _look_at_whole(self, path: Path, ends: _LineEnds) -> Iterator[int]:
        data = path.read_bytes()
        is_odd = data.count(self._quote) % 2 == 1
        if is_odd:
            self.odd.append(path)
        if (spaces := self._spaces()) is not None:
            self._refuse_spaces(path, spaces.find_in(data))
        ends.count(data)
        yield len(data)

    def _look_through(self, path: Path, ends: _LineEnds) -> Iterator[int]:
        quotes, spaces, read = Quotes(self._dialect.quote), self._spaces(), 0
        self._line = 0
        with open_bytes(path) as file:
            while chunk := file.read(_CHUNK):
                read += len(chunk)
                self._measure(path, chunk, read)
                seen = quotes.look(chunk)
                self.found |= seen.line_ends
                if spaces is not None:
                    found = spaces.find(chunk, may_have=seen.spaces, is_open=quotes.open)
                    self._refuse_spaces(path, found)
                ends.count(chunk)
                yield len(chunk)
        if spaces is not None:
            self._refuse_spaces(path, spaces.find_at_end())
        if quotes.open:
            self.odd.append(path)

    def _spaces(self) -> Spaces | None:
        dialect = self._dialect
        skips = self._skips_spaces or dialect.escape is not None or " " in (dialect.delimiter, dialect.quote)
        return None if skips else Spaces(dialect.delimiter, dialect.quote)

    def _refuse_spaces(self, path: Path, found: int | None) -> None:
        if found is not None:
            hint = "`csv: {skip_spaces: true}` passes over them"
            raise self._refusal(path, found, "there are spaces between a quote and a delimiter", hint)

    def _look_for_kinds(self, path: Path, ends: _LineEnds) -> None:
        """Which DuckDB's reader may take for others, and then records are one or none, without a word."""
        if ends.several and self._dialect.escape is None:
            with open_bytes(path) as file:
                self.several |= has_several_line_ends(file, self._dialect.delimiter, self._dialect.quote)

    def _measure(self, path: Path, chunk: bytes, read: int) -> None:
        """Raises FatalError in a line that is too long to be read."""
        line_feed = chunk.rfind(b"\n")
        line_end = max(line_feed, chunk.rfind(b"\r", line_feed + 1))
        self._line = self._line + len(chunk) if line_end < 0 else len(chunk) - line_end - 1
        self._longest_line = max(self._longest_line, self._line)
        if self._line > LONGEST_LINE:
            message = f"the line has more than {LONGEST_LINE >> 20} MB"
            raise self._refusal(path, read - self._line, message, "is it the right file, and CSV?")


class _LineEnds:
    """How lines end in the bytes of one file, given piece by piece; those in quotes count, too."""

    def __init__(self) -> None:
        self._pairs = self._returns = 0
        self._feeds = False  # line feeds by themselves
        self._last = b""

    def count(self, piece: bytes) -> None:
        is_half = self._last == b"\r" and piece[:1] == b"\n"
        self._last = piece[-1:] or self._last
        if b"\r" not in piece:  # as good as always
            self._pairs += is_half
            self._feeds = self._feeds or piece.find(b"\n", int(is_half)) >= 0
            return
        pairs = piece.count(b"\r\n")
        self._pairs += pairs + is_half
        self._returns += piece.count(b"\r")
        self._feeds = self._feeds or piece.count(b"\n") > pairs + is_half

    @property
    def several(self) -> bool:
        return (self._pairs > 0) + (self._returns > self._pairs) + self._feeds > 1


def unterminated(path: Path, delimiter: str, quote: str, escape: str | None) -> tuple[int, str] | None:
    """Offset and text of the last record if its quotes are still open at the end of the file."""
    if (escape is None or escape == quote) and _count(path, quote.encode()) % 2 == 0:
        return None
    csv.field_size_limit(sys.maxsize)
    begins = [0, 0]  # of the record that is being read, and of the next line
    end = "\0windlass\0"
    with (
        open_bytes(path) as file,
        io.TextIOWrapper(file, "latin-1", newline="") as text,
    ):  # a character a byte

        def lines() -> Iterator[str]:
            for line in text:
                begins[1] += len(line)
                yield line
            yield end

        doubled = escape is None or escape == quote
        reader = csv.reader(
            lines(),
            delimiter=delimiter,
            quotechar=quote,
            doublequote=doubled,
            escapechar=None if doubled else escape,
        )
        last: list[str] = []
        begin = 0
        for last in reader:  # noqa: B007 - it is looked at behind the loop
            begin, begins[0] = begins[0], begins[1]
    if last == [end]:
        return None
    with open_bytes(path) as file:
        return begin, Records(file, quote).read(begin).decode("utf-8", "backslashreplace")


def _count(path: Path, what: bytes) -> int:
    with open_bytes(path) as file:
        return sum(chunk.count(what) for chunk in iter(lambda: file.read(_CHUNK), b""))


class Records:
    """The bytes of single records of a file. Ask for ascending offsets."""

    def __init__(self, file: IO[bytes], quote: str) -> None:
        self._file, self._quote = file, quote.encode()
        self._at = 0

    def read(self, offset: int, size: int | None = None) -> bytes:
        """The record that begins at the offset, without its line end.

        Without a size: as far as quotes tell, to the end of the file if one stays open.
        """
        while self._at < offset and (skipped := self._file.read(min(offset - self._at, _CHUNK))):
            self._at += len(skipped)
        record = b"".join(self._lines()) if size is None else self._file.read(size)
        self._at += len(record)
        return record.rstrip(b"\r\n")

    def _lines(self) -> Iterator[bytes]:
        quotes = 0
        for line in self._file:
            yield line
            quotes += line.count(self._quote)
            if quotes % 2 == 0:
                return


def first_record_end(data: bytes, quote: bytes, start: int = 0) -> int:
    """Where the record that begins at `start` ends, its line end included."""
    end = start
    while (end := data.find(b"\n", end) + 1) > 0:
        if data.count(quote, start, end) % 2 == 0:
            return end
    return len(data)


def line_end_of(data: bytes) -> bytes | None:
    """The line end that data has throughout; None when there are several kinds, or none that DuckDB takes."""
    if b"\r" not in data:
        return b"\n"
    pairs = data.count(b"\r\n")
    return b"\r\n" if pairs == data.count(b"\r") == data.count(b"\n") else None

"""Copies of CSV files in a form that DuckDB's reader takes, written a piece at a time."""

from __future__ import annotations

import codecs
import re
import shutil
from collections.abc import Iterator
from typing import IO

from windlass.connectors.files.reading.csv_header import SEPARATOR_LINE
from windlass.errors import FatalError

__all__ = ["from_first_record", "has_several_line_ends", "is_separator_line", "to_one_line_end", "to_utf8"]

_PIECE = 1 << 20
_CR = ord("\r")
_SEPARATOR_LINE = re.compile(SEPARATOR_LINE.pattern.encode())


def is_separator_line(data: bytes) -> bool:
    """Whether a file begins with the line that tells Excel the delimiter."""
    return _SEPARATOR_LINE.match(data.removeprefix(codecs.BOM_UTF8)) is not None


def from_first_record(source: IO[bytes], target: IO[bytes]) -> bytes:
    """Leave out byte order marks, blank lines at the beginning, and the one that tells Excel the delimiter. Returns
    what was left out.
    """
    head = data = source.read(_PIECE)
    while data.startswith(codecs.BOM_UTF8):
        data = data.removeprefix(codecs.BOM_UTF8)
    said = _SEPARATOR_LINE.match(data)
    kept = data[said.end() if said else 0 :].lstrip(b"\r\n")
    target.write(kept)
    shutil.copyfileobj(source, target, _PIECE)
    return head[: len(head) - len(kept)]


def to_utf8(source: IO[bytes], target: IO[bytes], encoding: str) -> bytes:
    """Leaves nothing out. Raises FatalError for a byte that the encoding does not have."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    for piece in iter(lambda: source.read(_PIECE), b""):
        try:
            target.write(decoder.decode(piece).encode())
        except UnicodeDecodeError as exc:
            byte = exc.object[exc.start]
            raise FatalError(
                f"it is not {encoding}: byte 0x{byte:02x} near offset {offset + exc.start}"
            ) from exc
        offset += len(piece)
    target.write(decoder.decode(b"", final=True).encode())
    return b""


def to_one_line_end(source: IO[bytes], target: IO[bytes], delimiter: str, quote: str) -> bytes:
    """Make every line end outside quoted fields a line feed. Leaves nothing out."""
    for piece, quoted in _pieces(source, delimiter, quote):
        target.write(piece if quoted else piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    return b""


def has_several_line_ends(source: IO[bytes], delimiter: str, quote: str) -> bool:
    """Whether lines end in more than one way, outside quoted fields."""
    found: set[bytes] = set()
    for piece, quoted in _pieces(source, delimiter, quote):
        if not quoted:
            pairs = piece.count(b"\r\n")
            found |= {b"\r\n"} if pairs else set()
            found |= {end for end in (b"\r", b"\n") if piece.count(end) > pairs}
            if len(found) > 1:
                return True
    return False


def _pieces(source: IO[bytes], delimiter: str, quote: str) -> Iterator[tuple[bytes, bool]]:
    """The text of a file in pieces, and whether each is a quoted field: one that begins with a quote.

    No piece ends within a line end.
    """
    mark, stop = re.escape(quote.encode()), re.escape(delimiter.encode())
    field = re.compile(rb"(?:(?<=[\r\n])|(?<=%s))%s(?:[^%s]|%s%s)*%s?" % (stop, mark, mark, mark, mark, mark))
    data, at, is_last = b"\n", 1, False  # what stands before `at` was given; a field may begin behind it
    while not is_last:
        piece = source.read(max(_PIECE, len(data)))
        data, is_last = data + piece, not piece
        end = len(data) if is_last else max(at, len(data) - 1)
        end -= not is_last and end > at and data[end - 1] == _CR  # its line feed may follow
        for match in field.finditer(data, at):
            if match.end() >= len(data) - 1 and not is_last:  # it may go on
                end = match.start()
                break
            yield data[at : match.start()], False
            yield match[0], True
            at = match.end()
        yield data[at:end], False
        before = min(end, len(delimiter.encode()))
        data, at = data[end - before :], before

"""Copies of CSV files in a form that DuckDB's reader takes, written a piece at a time."""

from __future__ import annotations

import codecs
import re
import shutil
from typing import IO

from windlass.connectors.files.reading.csv_header import SEPARATOR_LINE
from windlass.errors import FatalError

__all__ = ["from_first_record", "is_separator_line", "to_one_line_end", "to_utf8"]

_PIECE = 1 << 20
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


def to_one_line_end(source: IO[bytes], target: IO[bytes], quote: bytes) -> bytes:
    """Make every line end outside quotes a line feed. Leaves nothing out."""
    quoted, held = False, b""
    while piece := source.read(_PIECE):
        data = held + piece
        held = data[-1:] if data.endswith(b"\r") else b""  # perhaps the first half of a \r\n
        for i, part in enumerate(data[: len(data) - len(held)].split(quote)):
            if i:
                target.write(quote)
                quoted = not quoted
            target.write(part if quoted else part.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    target.write(held.replace(b"\r", b"\n"))
    return b""

"""Copies of CSV files in a form that DuckDB's reader takes, written a piece at a time."""

from __future__ import annotations

import codecs
import shutil
from typing import IO

from windlass.errors import FatalError

__all__ = ["from_first_record", "to_one_line_end", "to_utf8"]

_PIECE = 1 << 20


def from_first_record(source: IO[bytes], target: IO[bytes]) -> None:
    """Leave out the blank lines at the beginning."""
    data = source.read(_PIECE)
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    target.write(mark + data.removeprefix(mark).lstrip(b"\r\n"))
    shutil.copyfileobj(source, target, _PIECE)


def to_utf8(source: IO[bytes], target: IO[bytes], encoding: str) -> None:
    """Raises FatalError for a byte that the encoding does not have."""
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


def to_one_line_end(source: IO[bytes], target: IO[bytes], quote: bytes) -> None:
    """Make every line end outside quotes a line feed."""
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

"""Documents in a scratch file, as the server sent them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from windlass.connectors.rows import BadRow, Reason
from windlass.errors import naming

__all__ = ["Spool", "split"]

_AT_ONCE = 10_000  # documents that are decoded at once
_SIZE = 4  # of the number that begins a document, and a batch in the file


class Spool:
    """Documents in a file. One that is not as BSON wants it is among `rejected`, once all were read."""

    def __init__(self, name: str, file: Path) -> None:
        self._name, self._file = name, file
        self.rejected: list[BadRow] = []

    def fill(self, batches: Iterable[bytes]) -> None:
        """Keep what the server sends."""
        with naming(self._file), self._file.open("wb") as out:
            for batch in batches:
                out.write(len(batch).to_bytes(_SIZE, "little") + batch)

    def read(self) -> Iterator[list[dict[str, Any]]]:
        """The documents, in their order, some at a time."""
        self.rejected = []
        number = 0
        with self._file.open("rb") as file:
            while size := file.read(_SIZE):
                for part in _parts(file.read(int.from_bytes(size, "little"))):
                    documents = self._decoded(part, number)
                    number += len(documents)
                    yield documents

    def _decoded(self, part: bytes, number: int) -> list[dict[str, Any]]:
        from bson import decode_all
        from bson.errors import InvalidBSON

        try:
            return decode_all(part, _codec())
        except (InvalidBSON, UnicodeDecodeError):
            return list(self._good_ones(part))

    def _good_ones(self, part: bytes) -> Iterator[dict[str, Any]]:
        from bson import decode
        from bson.errors import InvalidBSON

        for document in split(part):
            try:
                yield decode(document, _codec())
            except (InvalidBSON, UnicodeDecodeError) as exc:
                message = f"it is not readable: {exc}"
                shown = decode(document, _codec("replace"))
                identity = str(shown.get("_id"))
                self.rejected.append(
                    BadRow(Reason.WRONG_ENCODING, message, "_id", identity, raw=str(shown), source=self._name)
                )


def _codec(text: str = "strict") -> Any:
    from bson.codec_options import CodecOptions, DatetimeConversion

    options: Any = CodecOptions(
        datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler=text
    )
    return options


def _parts(batch: bytes) -> Iterator[bytes]:
    """The documents of a batch, some at a time."""
    begin = end = count = 0
    while end < len(batch):
        end += int.from_bytes(batch[end : end + _SIZE], "little")
        count += 1
        if count == _AT_ONCE:
            yield batch[begin:end]
            begin, count = end, 0
    if begin < end:
        yield batch[begin:end]


def split(part: bytes) -> Iterator[bytes]:
    """The documents of a batch, one by one."""
    end = 0
    while end < len(part):
        begin, end = end, end + int.from_bytes(part[end : end + _SIZE], "little")
        yield part[begin:end]

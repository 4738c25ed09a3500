"""A file in parts, each of which is read from the disk while it is sent, so that none is ever held in memory."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

__all__ = ["FilePart", "parts_of"]


class FilePart(io.RawIOBase):
    """Some bytes of a file as a file of their own. It is opened with the first byte that is read."""

    def __init__(self, file: Path, number: int, begin: int, length: int) -> None:
        super().__init__()
        self.number = number
        """Counted from 1."""
        self._file, self._begin, self._length = file, begin, length
        self._at, self._descriptor = 0, -1

    def __len__(self) -> int:
        return self._length

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = memoryview(buffer)[: max(self._length - self._at, 0)]
        if self._descriptor < 0:
            self._descriptor = os.open(self._file, os.O_RDONLY)
        read = os.preadv(self._descriptor, [wanted], self._begin + self._at)
        self._at += read
        return read

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        super().close()


def parts_of(file: Path, *, least: int, most: int) -> list[FilePart]:
    """All of a file, in at most so many parts, of at least so many bytes but for the last. An empty file has none."""
    size = file.stat().st_size
    length = max(least, -(-size // most))
    begins = range(0, size, length)
    return [FilePart(file, n, at, min(length, size - at)) for n, at in enumerate(begins, 1)]

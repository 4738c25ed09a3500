"""An object as a file that is read where somebody looks, and nowhere else: for formats with a footer."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from windlass.storage.objects import Object, Store

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["ObjectInRanges"]

_TAIL = 64 << 10


class ObjectInRanges(io.RawIOBase):
    """Just one version of an object. What is read from its last 64 KB is asked for once. Raises ChangedError."""

    def __init__(self, store: Store, found: Object) -> None:
        super().__init__()
        self._store, self._found, self._at = store, found, 0
        self._tail_at = max(found.size - _TAIL, 0)
        self._tail: bytes | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        beginning = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._found.size}[whence]
        self._at = max(beginning + offset, 0)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self._found.size if size is None or size < 0 else min(self._at + size, self._found.size)
        data = self._between(self._at, end) if end > self._at else b""
        self._at += len(data)
        return data

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _between(self, begin: int, end: int) -> bytes:
        if begin < self._tail_at:
            return b"".join(self._store.read(self._found, begin, end))
        if self._tail is None:
            self._tail = b"".join(self._store.read(self._found, self._tail_at, self._found.size))
        return self._tail[begin - self._tail_at : end - self._tail_at]

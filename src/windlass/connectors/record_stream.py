"""Records that are still on their way while the first of them are loaded: written down as they come, by a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from windlass.errors import naming

__all__ = ["Fetching", "Piece", "first_of", "pieces"]

_RECORDS, _BYTES = 5_000, 4 << 20
_LOOKED_AT, _LOOKED_AT_BYTES = 10_000, 16 << 20
_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")  # within a string JSON has no line ends

T = TypeVar("T")
Piece: TypeAlias = list[bytes]
"""Some records that follow each other, each the text of a JSON object on one line."""


def pieces(records: Iterable[bytes], file: Path) -> Iterator[Piece]:
    """The records in pieces; of each that is given, and when all are, the file has a line."""
    piece, size = Piece(), 0
    with naming(file), file.open("wb") as out:
        for record in records:
            line = record.translate(_ON_ONE_LINE)
            out.write(line + b"\n")
            piece.append(line)
            size += len(line)
            if len(piece) == _RECORDS or size >= _BYTES:
                yield piece
                piece, size = Piece(), 0
    if piece:
        yield piece


def first_of(coming: Iterator[Piece]) -> tuple[list[Piece], bool]:
    """As many as show what the others will be like, and whether these are all."""
    taken, records, size = list[Piece](), 0, 0
    while records < _LOOKED_AT and size < _LOOKED_AT_BYTES:
        piece = next(coming, None)
        if piece is None:
            return taken, True
        taken.append(piece)
        records += len(piece)
        size += sum(map(len, piece))
    return taken, False


class Fetching(Iterator[T], Generic[T]):
    """What an iterator gives, fetched by a thread, `ahead` so many items before they are asked for."""

    def __init__(self, items: Iterator[T], ahead: int) -> None:
        self._items, self._ahead = items, ahead
        self._ready: deque[T] = deque()
        self._is_wanted, self._is_stopped, self._is_over = True, False, False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._fetch,), name="fetching", daemon=True
        )
        self._thread.start()

    def __next__(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._is_over or self._is_stopped)
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
        if self._failure is not None:
            raise self._failure
        raise StopIteration

    def finish(self) -> None:
        """Have the rest fetched, which nobody takes any more. Raises what went wrong."""
        with self._changed:
            self._is_wanted = False
            self._ready.clear()
            self._changed.notify_all()
        self.join()
        if self._failure is not None:
            raise self._failure

    def join(self) -> None:
        """Wait until nothing more is fetched."""
        self._thread.join()

    def stop(self) -> None:
        """Have no more fetched; what is under way is not waited for."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _fetch(self) -> None:
        try:
            for item in self._items:
                if not self._hand_over(item):
                    break
        except BaseException as exc:  # noqa: BLE001 - it is raised where the items are taken
            self._failure = exc
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _hand_over(self, item: T) -> bool:
        """Whether others are to be fetched."""
        with self._changed:
            self._changed.wait_for(self._has_room)
            if self._is_wanted:
                self._ready.append(item)
                self._changed.notify_all()
            return not self._is_stopped

    def _has_room(self) -> bool:
        return len(self._ready) < self._ahead or not self._is_wanted or self._is_stopped

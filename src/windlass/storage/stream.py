"""Standard output, a FIFO or a device as a place for rows. Nothing stays there, so nothing is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from windlass.files import copy_to_stream, disk_errors
from windlass.ledger import LedgerEntry
from windlass.temporary import TemporaryFolder

__all__ = ["Stream"]


class Stream:
    """Where bytes go through. Implements `Place`."""

    names_are_used_again = True

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)

    def exists(self) -> bool:
        return self.path.exists()

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        return None

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return None

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        return None

    def begin(self, entry: LedgerEntry) -> StagedStream:
        return StagedStream(self.path)


class StagedStream:
    """What will go there, once all of it is known to be good. Implements `Staged`."""

    def __init__(self, stream: Path) -> None:
        self._stream = stream
        self._folder = TemporaryFolder()
        self.path = self._folder.path / "rows"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.remove()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)

    def require_writer(self) -> None:
        return

    def commit(self, entry: LedgerEntry) -> None:
        with disk_errors(self._stream):
            copy_to_stream(self.path, self._stream)

"""Objects that were listed, on the disk of this machine: there may be millions of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from windlass.files import disk_errors
from windlass.storage.objects import Object
from windlass.temporary import TemporaryFolder

__all__ = ["Listing"]


class Listing:
    """Objects in the order in which they were listed, as they were then. There is at least one."""

    def __init__(self, objects: Iterable[Object], scratch: Path | None = None) -> None:
        self._folder = TemporaryFolder(scratch)
        self._file = self._folder.path / "listing"
        encoder, self._count = msgspec.json.Encoder(), 0
        try:
            with disk_errors(self._file), self._file.open("wb") as out:
                for found in objects:
                    out.write(encoder.encode(found) + b"\n")
                    self._count += 1
            self.first = next(iter(self))
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Object]:
        decoder = msgspec.json.Decoder(Object)
        with self._file.open("rb") as lines:
            yield from map(decoder.decode, lines)

    def close(self) -> None:
        self._folder.remove()

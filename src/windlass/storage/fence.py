"""One writer at a time. Every writer has a token, an empty file of a name that is never used again. A new
writer removes the tokens and temporary files of those before it. A paused writer that wakes up finds its
token gone, and cannot commit any more.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from windlass.ledger import fenced

__all__ = ["Fence", "remove"]

_REMOVE_TRIES = 20


class Fence:
    """The writers of one place: their tokens and temporary files, in the folder that the place is in."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._prefix = f".{place.name}.windlass-tmp-"

    def temporary(self, writer: str) -> Path:
        """Where that writer writes."""
        return self._place.with_name(f"{self._prefix}{writer}")

    def take_over(self, writer: str) -> Path:
        """Become the only writer; what earlier ones left is gone already. Returns where to write."""
        temporary = self.temporary(writer)
        _token(temporary).touch()
        return temporary

    def leftovers(self) -> Iterator[Path]:
        """What writers have left, tokens among it."""
        for path in sorted(self._place.parent.iterdir()):
            if path.name.startswith(self._prefix):
                yield path

    def writer_of(self, leftover: Path) -> str:
        """Whose a leftover is."""
        return leftover.name.removeprefix(self._prefix).partition(".")[0]

    def require_writer(self, temporary: Path) -> None:
        """Raise FencedError when another took over."""
        if not _token(temporary).exists():
            raise fenced(self._place)

    def leave(self, temporary: Path) -> None:
        """Be no writer any more."""
        remove(_token(temporary))


def _token(temporary: Path) -> Path:
    return temporary.with_name(f"{temporary.name}.token")


def remove(path: Path) -> None:
    """Remove a file or folder of our own; nothing is there perhaps."""
    if path.is_dir() and not path.is_symlink():
        _remove_folder(path)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _remove_folder(path: Path) -> None:
    """Remove a folder that its writer, not knowing yet that it was overtaken, may still put files into."""
    for _ in range(_REMOVE_TRIES):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
    shutil.rmtree(path)

"""Where files are kept, and how new ones come there: all of a load, or nothing of it.

manifest.py    the ledger of files: what was loaded, in a file of its own
history.py     the loads of a file that are long past
turns.py       whose turn it is: tokens, and what writers that are gone have left
file.py        a single file, by rename
folder.py      a folder of files, exchanged whole
stream.py      standard output, a FIFO, a device
objects/       objects of a store, such as S3
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

from windlass.errors import FatalError
from windlass.files import is_stream, require_file_place, resolved
from windlass.ledger import LedgerEntry

__all__ = ["Place", "Staged", "place_of"]


class Place(Protocol):
    """Where the files of a destination are to be."""

    name: str
    """What it is called: a path without links, or an address."""

    names_are_used_again: bool
    """Whether files that are written may have the names of those whose place they take."""

    def exists(self) -> bool:
        """Whether something is there."""

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The committed entry of the same load."""

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        """The cursor that the latest load of the same pipeline and task committed."""

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        """The committed entry of the same load, once none of the starts of these ids can commit any more."""

    def begin(self, entry: LedgerEntry) -> Staged:
        """Become a writer, once those are done that cannot go on beside it."""


class Staged(Protocol):
    """What a writer has written and not yet committed. Left without a commit, nothing of it stays."""

    path: Path
    """The file or folder to write: nobody else has it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def discard(self) -> None:
        """Remove what was written; the writer may begin again."""

    def require_writer(self) -> None:
        """Raise FencedError when another start of the same load took over."""

    def commit(self, entry: LedgerEntry) -> None:
        """Put what was written into its place, and the entry into the ledger."""


def place_of(
    path: Path, *, folder: bool, adding: bool, alone: bool = True, protected: Sequence[Path] = ()
) -> Place:
    """The place for a file, or for the files of a folder. `adding`: what is there stays; not `alone`:
    others may add at the same time.

    Raises FatalError where a file cannot be put. A folder of which a `protected` one is a part is refused
    when it is about to be written.
    """
    if is_stream(path):
        from windlass.storage.stream import Stream

        return Stream(path)
    path = resolved(path)
    if folder:
        from windlass.storage.folder import Folder

        return Folder(path, adding=adding, alone=alone, protected=protected)
    if path.is_dir():
        raise FatalError(f"{path} is a folder", hint="end the path with / to write files into it")
    require_file_place(path)
    from windlass.storage.file import OneFile

    return OneFile(path)

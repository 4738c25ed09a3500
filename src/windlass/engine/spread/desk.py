"""What the process of the task and the machines of an engine share: what is to be done, and what has been.

Either a folder that all of them have at the same path, which is the load's own; or where the rows go to a store, keys below
its prefix. Then machines bring files by uploads, which the process of the task lets take effect when it commits.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from windlass.connectors.destination import FolderLoad
from windlass.connectors.stores.where import StoredPath
from windlass.engine.spread.pieces import HandedIn, Result
from windlass.errors import FatalError, naming
from windlass.files import write_file
from windlass.storage.objects import ChangedError, Upload
from windlass.storage.objects.prefix import notes_of

__all__ = ["Desk", "SharedFolder", "SharedPrefix", "desk_of"]


class Desk(Protocol):
    """It can be pickled."""

    def write(self, name: str, data: bytes) -> None:
        """Leave a note."""

    def read(self, name: str) -> bytes:
        """A note. Raises FatalError where it is not there, because the load is not any more, or cannot be seen."""

    def own(self, number: int, temporary: Path) -> Path:
        """A folder for one try of a piece: it is there, and nobody else has it."""

    def hand_in(self, number: int, own: Path, rows: Path, quarantine: str | None) -> HandedIn:
        """Bring what is in the folder of a try to where the process of the task finds it."""

    def quarantine(self, handed_in: HandedIn, temporary: Path) -> Path | None:
        """The file with the bad rows of a piece."""

    def take(self, load: FolderLoad, results: Sequence[Result]) -> int:
        """Let what was handed in be what is loaded. Returns its bytes."""


def desk_of(load: FolderLoad, stored: StoredPath | None, load_id: str) -> Desk:
    """For a load that was begun. `stored`: where its rows go, if that is a store."""
    if stored is None:
        folder = load.folder() / ".pieces"
        folder.mkdir()
        return SharedFolder(folder)
    return SharedPrefix(stored, load_id, load.expect_uploads())


@dataclass(frozen=True)
class SharedFolder:
    """A folder that all machines have. Implements `Desk`."""

    folder: Path

    def write(self, name: str, data: bytes) -> None:
        write_file(self.folder / name, data)

    def read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError as exc:
            raise _nothing_here(
                str(self.folder), "a folder that is at the same path on all machines"
            ) from exc

    def own(self, number: int, temporary: Path) -> Path:
        own = self.folder / f"{number}-{uuid.uuid4().hex}"
        own.mkdir()
        return own

    def hand_in(self, number: int, own: Path, rows: Path, quarantine: str | None) -> HandedIn:
        return HandedIn(str(rows), quarantine=quarantine)

    def quarantine(self, handed_in: HandedIn, temporary: Path) -> Path | None:
        return Path(handed_in.quarantine) if handed_in.quarantine is not None else None

    def take(self, load: FolderLoad, results: Sequence[Result]) -> int:
        return load.take([Path(result.handed_in.folder) for result in results if result.handed_in.folder])


@dataclass(frozen=True)
class SharedPrefix:
    """Keys below the prefix that the rows go to. Implements `Desk`."""

    prefix: StoredPath
    load_id: str
    name: str
    """What the names of the files begin with."""

    def write(self, name: str, data: bytes) -> None:
        where = self._note(name).where()
        where.store.put(where.key, data, None)

    def read(self, name: str) -> bytes:
        where = self._note(name).where()
        found = where.store.get(where.key)
        if found is None:
            raise _nothing_here(where.name, "a bucket that all machines reach, by the same address")
        return found[0]

    def own(self, number: int, temporary: Path) -> Path:
        own = temporary / "own"
        own.mkdir()
        return own

    def hand_in(self, number: int, own: Path, rows: Path, quarantine: str | None) -> HandedIn:
        where = self.prefix.where()
        uploads = []
        for count, file in enumerate(_files_in(rows)):
            folder = file.parent.relative_to(rows) / f"{self.name}{number:05d}-{count:04d}"
            name = f"{folder.as_posix()}.{file.name.partition('.')[2]}"
            key = where.key + name
            upload = where.store.begin_upload(key, self.load_id, file)
            brought = where.store.upload(key, upload, file)
            uploads.append(Upload(name, upload, brought, file.stat().st_size))
        bad = None
        if quarantine is not None:
            bad = f"{number}-{uuid.uuid4().hex}.quarantine"
            note = self._note(bad).where()
            note.store.put_file(note.key, Path(quarantine), self.load_id)
        return HandedIn(uploads=tuple(uploads), quarantine=bad)

    def quarantine(self, handed_in: HandedIn, temporary: Path) -> Path | None:
        if handed_in.quarantine is None:
            return None
        where = self._note(handed_in.quarantine).where()
        found = where.store.look(where.key)
        if found is None:
            raise ChangedError(f"{where.name} is not there any more")
        file = temporary / handed_in.quarantine
        with naming(file), file.open("wb") as out:
            out.writelines(where.store.read(found))
        return file

    def take(self, load: FolderLoad, results: Sequence[Result]) -> int:
        return load.take_uploads([upload for result in results for upload in result.handed_in.uploads])

    def _note(self, name: str) -> StoredPath:
        return self.prefix.below(notes_of(self.load_id) + name)


def _files_in(folder: Path) -> Iterator[Path]:
    """The files, in the order of their names, but for those that are windlass' own."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return (file for file in files if not file.name.startswith("."))


def _nothing_here(name: str, wanted: str) -> FatalError:
    message = f"{name} is not there on {socket.gethostname()}, a machine of the engine; or the copy has ended"
    return FatalError(message, hint=f"let it be {wanted}")

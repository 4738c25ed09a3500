"""A store in a folder of this machine: what a laptop and a fixture test have in the place of a bucket.

It keeps what stores promise: conditions, and uploads that take effect at once or never. An object is a file of its
key's name; of its version is its inode, size and time.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from windlass.connections import Address
from windlass.connectors.stores.silence import SILENCE, silence_of
from windlass.errors import Code, FatalError
from windlass.files import disk_errors, locked_folder
from windlass.storage.objects.store import ChangedError, Object

__all__ = ["FOLDER", "FolderStore", "stand_in"]

FOLDER = "folder"
"""The option of an address that names the folder which stands in for the bucket."""

_PIECE = 1 << 20


def stand_in(address: Address | None) -> FolderStore | None:
    """The folder that stands in for a bucket; None where a real one is meant."""
    folder = address.options.get(FOLDER) if address is not None else None
    return FolderStore(address.host, Path(folder), silence_of(address)) if address and folder else None


class FolderStore:
    """Implements `Store`."""

    def __init__(self, bucket: str, folder: Path, silence: float = SILENCE) -> None:
        self.name, self.silence = f"folder://{bucket}", silence
        self._objects, self._uploads, self._loads = (
            folder / name for name in ("objects", "uploads", "loads")
        )
        for made in (self._objects, self._uploads, self._loads):
            made.mkdir(parents=True, exist_ok=True)

    def list(self, prefix: str) -> Iterator[Object]:
        for key in sorted(self._keys()):
            if key.startswith(prefix) and (found := self.look(key)) is not None:
                yield found

    def _keys(self) -> Iterator[str]:
        for place, _, names in os.walk(self._objects):
            yield from (str((Path(place) / name).relative_to(self._objects)) for name in names)

    def look(self, key: str) -> Object | None:
        try:
            state = self._file(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        version = _version(state)
        return Object(key, state.st_size, version, self._load_of(version))

    def _load_of(self, version: str) -> str:
        try:
            return (self._loads / version).read_text()
        except FileNotFoundError:
            return ""

    def read(self, found: Object, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        with disk_errors(found.key, "read"):
            try:
                file = self._file(found.key).open("rb")
            except FileNotFoundError as exc:
                raise ChangedError(f"{self.name}/{found.key} is not there any more") from exc
            with file:
                if _version(os.fstat(file.fileno())) != found.version:
                    raise ChangedError(f"{self.name}/{found.key} was changed while it was read")
                file.seek(begin)
                left = (found.size if end is None else end) - begin
                while left > 0 and (piece := file.read(min(_PIECE, left))):
                    left -= len(piece)
                    yield piece

    def get(self, key: str) -> tuple[bytes, str] | None:
        found = self.look(key)
        try:
            return found and (b"".join(self.read(found)), found.version)
        except ChangedError:
            return self.get(key)

    def put(self, key: str, data: bytes, replaces: str | None) -> None:
        staged = self._uploads / str(uuid.uuid4())
        with disk_errors(key), self._locked():
            try:
                staged.write_bytes(data)
                self._place(key, staged, replaces)
            finally:
                staged.unlink(missing_ok=True)

    def begin_upload(self, key: str, load: str, file: Path) -> str:
        upload = str(uuid.uuid4())
        with disk_errors(key), self._locked():
            (self._uploads / f"{upload}.about").write_text(json.dumps({"key": key, "load": load}))
            (self._uploads / upload).touch()
        return upload

    def upload(self, key: str, upload: str, file: Path) -> Any:
        with disk_errors(key), self._locked():
            if not (self._uploads / upload).exists():
                raise ChangedError(f"the upload to {self.name}/{key} was aborted")
            shutil.copyfile(file, self._uploads / upload)

    def finish_upload(self, key: str, upload: str, brought: Any, replaces: str | None) -> None:
        with disk_errors(key), self._locked():
            staged, about = self._uploads / upload, self._uploads / f"{upload}.about"
            if not staged.exists():
                raise ChangedError(f"the upload to {self.name}/{key} was aborted")
            (self._loads / _version(staged.stat())).write_text(json.loads(about.read_text())["load"])
            self._place(key, staged, replaces)
            about.unlink()

    def _place(self, key: str, staged: Path, replaces: str | None) -> None:
        there = self.look(key)
        if (there.version if there else None) != replaces:
            raise ChangedError(f"{self.name}/{key} is not as it was any more")
        self._file(key).parent.mkdir(parents=True, exist_ok=True)
        staged.rename(self._file(key))

    def abort_upload(self, key: str, upload: str) -> None:
        with disk_errors(key), self._locked():
            self._abort(upload)

    def begun(self, prefix: str) -> Sequence[tuple[str, str]]:
        with disk_errors(prefix), self._locked():
            found = [
                (json.loads(about.read_text())["key"], about.stem) for about in self._uploads.glob("*.about")
            ]
        return [(key, upload) for key, upload in found if key.startswith(prefix)]

    def _abort(self, upload: str) -> None:
        (self._uploads / upload).unlink(missing_ok=True)
        (self._uploads / f"{upload}.about").unlink(missing_ok=True)

    def put_file(self, key: str, file: Path, load: str) -> None:
        upload = self.begin_upload(key, load, file)
        self.finish_upload(key, upload, self.upload(key, upload, file), None)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with disk_errors(key), self._locked():
                self._file(key).unlink(missing_ok=True)
                for about in self._uploads.glob("*.about"):
                    if json.loads(about.read_text())["key"] == key:
                        self._abort(about.stem)

    def _file(self, key: str) -> Path:
        """The file of an object. Raises FatalError for a key that cannot be the name of one."""
        if not key or key.startswith("/") or any(part in ("", ".", "..") for part in key.split("/")):
            raise FatalError(f"{self.name}: {key!r} cannot be the name of a file", code=Code.NO_FILE)
        return self._objects / key

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked_folder(self._objects):
            yield


def _version(state: os.stat_result) -> str:
    return f"{state.st_ino}-{state.st_size}-{state.st_mtime_ns}"

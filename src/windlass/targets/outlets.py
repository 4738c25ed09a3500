"""Where an export writes to: a folder, or a bucket, which schedulers in a cloud read their pipelines from.

Only what changes is written, each file whole; of all else only what an earlier export has left is removed.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Protocol

from windlass.errors import FatalError, UsageError
from windlass.files import write_whole
from windlass.workspace import is_stored, require_writable

__all__ = ["Outlet", "outlet_at"]


class Outlet(Protocol):
    """What files are put into."""

    @property
    def folder(self) -> Path | None:
        """Where it is on this machine; None for a bucket."""

    def name(self, path: str) -> str:
        """What a file in it is called, for people. Raises FatalError for a path that leads out of it."""

    def read(self, path: str) -> bytes | None:
        """What is in a file; None where there is none."""

    def beside(self, path: str) -> list[str]:
        """The files in the folder of that one, in order."""

    def remove(self, path: str) -> None:
        """Remove a file."""

    def write(self, path: str, data: bytes) -> None:
        """Put all of a file into its place, or nothing. Raises RetryableError where somebody else writes it meanwhile."""


def outlet_at(out: Path | str) -> Outlet:
    """A folder, or what an address such as `gs://bucket/dags` means. Raises FatalError."""
    if isinstance(out, Path) or not is_stored(out):
        return _Folder(Path(out))
    require_writable(out)
    return _Bucket(out)


def _require_inside(path: str) -> str:
    wanted = PurePosixPath(path)
    if wanted.is_absolute() or ".." in wanted.parts:
        raise FatalError(f"the target wants to write {path!r}, which is not below the folder of the export")
    return wanted.as_posix()


class _Folder:
    """Implements `Outlet`."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is not a folder")
        self.folder = folder

    def name(self, path: str) -> str:
        return str(self.folder / _require_inside(path))

    def read(self, path: str) -> bytes | None:
        file = Path(self.name(path))
        return file.read_bytes() if file.is_file() else None

    def beside(self, path: str) -> list[str]:
        folder = Path(self.name(path)).parent
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        return [file.relative_to(self.folder).as_posix() for file in found if file.is_file()]

    def remove(self, path: str) -> None:
        Path(self.name(path)).unlink(missing_ok=True)

    def write(self, path: str, data: bytes) -> None:
        if self.read(path) == data:
            return
        file = Path(self.name(path))
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, data)


class _Bucket:
    """Implements `Outlet`."""

    folder = None

    def __init__(self, out: str) -> None:
        from windlass.connectors.stores.where import stored_path

        where = stored_path(f"{out.rstrip('/')}/")
        self._store, self._prefix, self._out = where.store, where.key, out.rstrip("/")

    def name(self, path: str) -> str:
        return f"{self._out}/{_require_inside(path)}"

    def read(self, path: str) -> bytes | None:
        found = self._store.get(self._key(path))
        return None if found is None else found[0]

    def beside(self, path: str) -> list[str]:
        folder = f"{self._key(path).rpartition('/')[0]}/"
        keys = (found.key for found in self._store.list(folder))
        return [key.removeprefix(self._prefix) for key in keys if "/" not in key.removeprefix(folder)]

    def remove(self, path: str) -> None:
        self._store.delete([self._key(path)])

    def write(self, path: str, data: bytes) -> None:
        found = self._store.get(self._key(path))
        if found is None or found[0] != data:
            self._store.put(self._key(path), data, found and found[1])

    def _key(self, path: str) -> str:
        return self._prefix + _require_inside(path)

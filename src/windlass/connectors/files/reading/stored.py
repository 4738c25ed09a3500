"""Objects of a store as the source of a copy. They are brought to this machine before they are read: readers go over a
file more than once, and a disk is nearer than a store.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from windlass.connectors.files.formats import format_of
from windlass.connectors.files.options import ReadFormat
from windlass.connectors.files.paths import InputFiles
from windlass.connectors.files.reading.source import FileSource
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading, Relation, StoredObjects
from windlass.connectors.stores.choosing import chosen
from windlass.connectors.stores.fetching import fetch, local_names
from windlass.connectors.stores.listing import Listing
from windlass.connectors.stores.where import Where
from windlass.errors import FatalError
from windlass.storage.objects import Object
from windlass.temporary import TemporaryFolder
from windlass.workspace import Workspace

__all__ = ["StoredSource"]


class StoredSource:
    """One or more objects of one format. Implements `Source`, `HasContents` and `HasObjects`."""

    def __init__(
        self,
        where: Where,
        declared: ReadFormat | None,
        scratch: Path | None,
        relation: Callable[[InputFiles, Reading, Scratch], Relation],
        *,
        typed: bool = False,
    ) -> None:
        self.name = where.name
        self._where, self._declared, self._scratch, self._relation = where, declared, scratch, relation
        self._is_typed = typed  # somebody said what types columns have
        self._objects = Listing(chosen(where), scratch)
        try:
            self.format: ReadFormat = declared or _one_format(where, self._objects)
        except BaseException:
            self._objects.close()
            raise
        self._files: StoredFiles | None = None
        self._bringing = threading.Lock()

    def close(self) -> None:
        self._objects.close()
        if self._files is not None:
            self._files.close()

    def occupied(self) -> Iterable[str]:
        return (f"{self._where.store.name}/{found.key}" for found in self._objects)

    def fingerprint(self) -> dict[str, object]:
        """The keys, sizes and versions of all objects, as one hash."""
        digest = hashlib.sha256()
        for found in self._objects:
            digest.update(f"{found.key}\0{found.size}\0{found.version}\n".encode())
        state = digest.hexdigest()
        return {"type": "objects", "path": self.name, "objects": len(self._objects), "state": state}

    def listed(self) -> Iterator[Object]:
        """The objects, as often as they are wanted."""
        return iter(self._objects)

    def objects(self) -> StoredObjects | None:
        if self._is_typed:
            return None
        return StoredObjects(self._where.store, tuple(self._objects), self.format)

    def contents(self) -> Iterator[bytes]:
        return self._brought().contents()

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        files = self._brought()
        source = FileSource(files, lambda reading, scratch: self._relation(files, reading, scratch))
        return source.open(reading, scratch)

    def _brought(self) -> StoredFiles:
        with self._bringing:  # rows are read in one thread, and bytes in another
            if self._files is None:
                self._files = StoredFiles(self._where, self._objects, self.format, self._scratch)
            return self._files


def _one_format(where: Where, objects: Listing) -> ReadFormat:
    """The format that the names of all objects tell. Raises FatalError where they do not tell the same."""
    kind = format_of(objects.first.key)
    if any(format_of(found.key) != kind for found in objects):
        hint = "name a pattern: prefix/*.csv"
        raise FatalError(f"{where.name!r} has objects of several formats", hint=hint)
    return kind


class StoredFiles(InputFiles):
    """Objects as files of a temporary folder."""

    def __init__(self, where: Where, objects: Listing, kind: ReadFormat, scratch: Path | None) -> None:
        self._where, self._objects = where, objects
        here = Path.cwd()
        super().__init__(where.name, Workspace(here, here), kind, scratch)

    def _found(
        self, workspace: Workspace, declared: ReadFormat | None, scratch: Path | None
    ) -> tuple[list[Path], ReadFormat]:
        assert declared is not None
        self._spool = TemporaryFolder(scratch)
        folder = self._spool.path
        paths = [folder / name for name in local_names(found.key for found in self._objects)]
        self._paths = paths
        fetch(self._where.store, zip(self._objects, paths, strict=True))
        return paths, declared

    def _path_shown(self, path: Path) -> str:
        key = next(key for each, key in self._keys() if each == path)
        return f"{self._where.store.name}/{key}"

    def _keys(self) -> Iterator[tuple[Path, str]]:
        """Each file, and the key of its object."""
        return zip(self._paths, (found.key for found in self._objects), strict=True)

    def contents(self) -> Iterator[bytes]:
        """The keys, sizes and bytes of all objects."""
        wanted = set(self.paths)
        for path, key in self._keys():
            if path not in wanted:
                continue
            yield f"{key}\0{path.stat().st_size}\n".encode()
            yield from self._bytes(path)

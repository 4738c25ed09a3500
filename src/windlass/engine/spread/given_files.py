"""The files of a copy as the process of the task sees them, on a disk or in a store; and how any machine opens one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Protocol, cast

from windlass.connectors.files.options import ReadFormat
from windlass.connectors.files.paths import InputFiles
from windlass.connectors.files.reading.source import FileSource
from windlass.connectors.files.reading.stored import StoredSource
from windlass.connectors.source import Source
from windlass.connectors.stores.ranges import ObjectInRanges
from windlass.connectors.stores.where import StoredPath
from windlass.engine.spread.pieces import SourceFile
from windlass.errors import FatalError, naming
from windlass.files import disk_errors
from windlass.temporary import TemporaryFolder

__all__ = ["HEAD", "GivenFiles", "LocalFiles", "StoredFiles", "given_files", "opened"]

HEAD = 1 << 20
"""Bytes of a file in which a header is looked for."""

_BUFFER = 4 << 20


class GivenFiles(Protocol):
    """Files that are not empty, in the order of their names. There is at least one."""

    written: str
    format: ReadFormat
    is_one: bool
    place: StoredPath | None
    """Where they are, if that is a store."""

    def __iter__(self) -> Iterator[SourceFile]: ...

    def beginning(self, file: SourceFile) -> Path:
        """A file of this machine, of the same name, that begins as this one."""


def given_files(source: Source, place: StoredPath | None, undo: ExitStack) -> GivenFiles:
    """Those of an open source. Raises FatalError where they are all empty, or can be read only once."""
    if isinstance(source, StoredSource):
        assert place is not None
        return StoredFiles(source, place, undo.enter_context(TemporaryFolder()))
    assert isinstance(source, FileSource)
    return LocalFiles(source.files)


def opened(place: StoredPath | None, file: SourceFile) -> IO[bytes]:
    """A file, wherever it is."""
    if place is None:
        with disk_errors(file.path, "read"):
            return file.path.open("rb")
    ranges = ObjectInRanges(place.where().store, file.object)
    return cast("IO[bytes]", io.BufferedReader(ranges, _BUFFER))


class LocalFiles:
    """Files that all machines have. Implements `GivenFiles`."""

    place: StoredPath | None = None

    def __init__(self, files: InputFiles) -> None:
        if files.is_empty:
            raise files.nothing(files.paths[0])
        if files.is_spooled:
            hint = "leave `engine` out"
            raise FatalError(
                f"{files.written!r} can only be read once, by the process of the task", hint=hint
            )
        self.written, self.format, self.is_one, self._paths = (
            files.written,
            files.format,
            files.is_one,
            files.paths,
        )

    def __iter__(self) -> Iterator[SourceFile]:
        return (SourceFile(str(path), path.stat().st_size) for path in self._paths)

    def beginning(self, file: SourceFile) -> Path:
        return file.path


class StoredFiles:
    """Objects of a store. Implements `GivenFiles`."""

    def __init__(self, source: StoredSource, place: StoredPath, folder: Path) -> None:
        self.written, self.format = source.name, source.format
        self.place: StoredPath | None = place
        self._source, self._folder = source, folder
        first = next(iter(self), None)
        if first is None:
            hint = "expected at least a header or one row"
            raise FatalError(f"all objects of {self.written!r} are empty", hint=hint)
        self.is_one = sum(1 for _ in zip(self, range(2), strict=False)) == 1

    def __iter__(self) -> Iterator[SourceFile]:
        return (SourceFile(*found[:3]) for found in self._source.listed() if found.size)

    def beginning(self, file: SourceFile) -> Path:
        name = file.name.rpartition("/")[2][-150:]
        copy = self._folder / name
        with opened(self.place, file) as source, naming(copy), copy.open("wb") as out:
            out.write(source.read(HEAD))
        return copy

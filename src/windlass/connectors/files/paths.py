"""The files that a path stands for: one file, a folder's, or a pattern's; and their bytes."""

from __future__ import annotations

import bz2
import glob
import gzip
import hashlib
import io
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote

from windlass.connectors.files.formats import COMPRESSIONS, compression_ending, compression_of, format_of
from windlass.connectors.files.options import ReadFormat
from windlass.connectors.scratch import Scratch
from windlass.errors import Code, FatalError, RetryableError, did_you_mean, extra, naming
from windlass.file_kinds import LOOKED_AT, kind_of, why_not
from windlass.file_names import fitting
from windlass.files import disk_errors, is_stream
from windlass.splitting_urls import split_url
from windlass.temporary import TemporaryFolder
from windlass.workspace import Workspace, require_text

__all__ = ["InputFiles", "check_whole", "open_bytes", "unpack_bz2"]

_COPIED_AT_ONCE = 1 << 20
_TEXT = ("csv", "json", "ndjson")
_PACKED = {f"a {kind} file": ending for ending, kind in COMPRESSIONS.items()}
_OTHER_KINDS = {
    "a Parquet file": "say `format: parquet`, and it is read",
    "a zip archive": "unpack it, or if it is a file of Excel, say `format: excel`",
    "a SQLite database": "a table of it is sqlite:///FILE?table=NAME",
    "a DuckDB database": "a table of it is duckdb:///FILE?table=NAME",
}


class InputFiles:
    """The files to read, in the order of their names. There is at least one; it alone may be empty, if it is text.

    What can be read only once, such as standard input or the answer of a web server, is a file of a temporary folder
    first.
    """

    def __init__(
        self, written: str, workspace: Workspace, declared: ReadFormat | None, scratch: Path | None = None
    ) -> None:
        self.written = written
        self._spool: TemporaryFolder | None = None
        try:
            self.paths, self.format = self._found(workspace, declared, scratch)
            full = [file for file in self.paths if not self._is_empty(file)]
            self.is_empty = not full
            self.paths = full or self.paths[:1]
        except BaseException:
            self.close()
            raise

    def _found(
        self, workspace: Workspace, declared: ReadFormat | None, scratch: Path | None
    ) -> tuple[list[Path], ReadFormat]:
        if is_address(self.written):
            from windlass.connectors.files.fetching import fetch

            kind = declared or format_of(_name_at(self.written))
            self._spool = TemporaryFolder(scratch)
            file = self._spool.path / fitting(_name_at(self.written))
            fetch(self.written, file)
            return [file], kind
        path = workspace.to_read(self.written)
        if is_stream(path):
            kind = declared or format_of(self.written)
            self._spool = TemporaryFolder(scratch)
            file = self._spool.path / f"{path.name}{compression_ending(self.written)}"
            _copy_stream(path, file)
            return [file], kind
        files = list(_expand(self.written, path, workspace, declared))
        return files, declared or format_of(str(files[0]))

    def _is_empty(self, file: Path) -> bool:
        """Whether there is nothing in a file of text. Raises FatalError for a file that cannot be read, or that is not
        of the format: one that somebody has packed, or an answer that says what a server could not do.
        """
        if not file.is_file():
            raise FatalError(f"{self._path_shown(file)!r} is not a regular file")
        with disk_errors(file, "read"), file.open("rb") as opened:
            beginning = opened.read(LOOKED_AT)
        packed = compression_of(str(file))
        if beginning and packed is not None:
            self._require(packed, beginning, file)
            with open_bytes(file) as unpacked:
                beginning = unpacked.read(LOOKED_AT)
        if not beginning:
            if self.format not in _TEXT:
                raise self.nothing(file)
            return True
        self._require(self.format, beginning, file)
        return False

    def _require(self, kind: str, beginning: bytes, file: Path) -> None:
        wrong = why_not(kind, beginning)
        if wrong is None:
            return
        shown = self._path_shown(file)
        if is_address(self.written):
            hint = "look at the address; a server in trouble may answer so for a while"
            raise RetryableError(f"{shown}: what came {wrong}", hint=hint, code=Code.DOWNLOAD)
        raise FatalError(f"{shown!r} {wrong}", hint=_how_to_read(kind_of(beginning)), code=Code.OTHER_FORMAT)

    def nothing(self, file: Path) -> FatalError:
        """The error for an empty file."""
        shown = self._path_shown(file)
        return FatalError(f"{shown!r} is empty", hint="expected at least a header or one row")

    def close(self) -> None:
        if self._spool is not None:
            self._spool.remove()

    @property
    def is_spooled(self) -> bool:
        """Whether they are files of this process, because what was named can be read only once."""
        return self._spool is not None

    @property
    def is_one(self) -> bool:
        return len(self.paths) == 1

    def name(self, path: Path | str | None = None) -> str:
        """What a file is called in errors: as it was written if it is the only one."""
        return self.written if self.is_one or path is None else Path(path).name

    def _path_shown(self, path: Path) -> str:
        return str(path) if self._spool is None else self.written

    def fingerprint(self) -> dict[str, object]:
        """The names, sizes and times of change of all files, as one hash; of a stream, its bytes."""
        digest = hashlib.sha256()
        if self._spool is not None:
            with self.paths[0].open("rb") as file:
                state = hashlib.file_digest(file, "sha256").hexdigest()
            return {"type": "files", "path": self.written, "files": 1, "state": state}
        for path in self.paths:
            status = path.stat()
            digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return {"type": "files", "path": self.written, "files": len(self.paths), "state": digest.hexdigest()}

    def contents(self) -> Iterator[bytes]:
        """The names, sizes and bytes of all files."""
        for path in self.paths:
            yield f"{path.name}\0{path.stat().st_size}\n".encode()
            yield from self._bytes(path)

    def _bytes(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(_COPIED_AT_ONCE):
                yield piece

    def occupied(self) -> Iterator[str]:
        """The paths without links, but for one that a file itself is."""
        folders: dict[Path, Path] = {}
        for path in self.paths if self._spool is None else ():
            if path.parent not in folders:
                folders[path.parent] = path.parent.resolve()
            yield f"{folders[path.parent]}/{path.name}"

    def size(self) -> int:
        """Bytes of all files together, as they lie on the disk."""
        return sum(path.stat().st_size for path in self.paths)


def is_address(written: str) -> bool:
    """Whether it is a file of a web server."""
    return written.lower().startswith(("http://", "https://"))


def _how_to_read(kind: str | None) -> str | None:
    """How a file of that kind is read, which was taken for one of another."""
    if kind is not None and (ending := _PACKED.get(kind)):
        return f"if it is to be read, give it a name that ends in {ending}"
    return _OTHER_KINDS.get(kind or "")


def _name_at(address: str) -> str:
    """What a file on a web server is called."""
    return unquote(split_url(address).path).rstrip("/").rpartition("/")[2] or "index"


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, decompressed. Raises FatalError when the compressed file is damaged."""
    try:
        with _decompressed(path) as file:
            yield file
    except (EOFError, OSError, zlib.error) as exc:
        kind = compression_of(str(path))
        if kind is None or (isinstance(exc, OSError) and exc.errno is not None):
            raise
        raise FatalError(f"{path.name} is not a complete {kind} file: {exc}") from exc


def _decompressed(path: Path) -> IO[bytes]:
    kind = compression_of(str(path))
    if kind == "gzip":
        return cast("IO[bytes]", gzip.open(path))
    if kind == "bz2":
        return cast("IO[bytes]", bz2.open(path))
    if kind == "zstd":
        with extra("reading zstd files", "files"):
            import pyarrow as pa
        return cast("IO[bytes]", io.BufferedReader(pa.input_stream(str(path), compression="zstd")))
    return path.open("rb")


def check_whole(paths: Sequence[Path]) -> None:
    """Raise FatalError for a compressed file that is damaged: DuckDB reads those without a word."""
    for path in paths:
        if compression_of(str(path)) is not None:
            with open_bytes(path) as file:
                while file.read(_COPIED_AT_ONCE):
                    pass


def unpack_bz2(paths: Sequence[Path], scratch: Scratch) -> list[Path]:
    """The paths, each of a bz2 file replaced by that of its unpacked copy: DuckDB cannot read those."""
    unpacked = []
    for path in paths:
        if compression_of(str(path)) == "bz2":
            copy = scratch.folder / f"{scratch.new_name()}{path.with_suffix('').suffix}"
            with open_bytes(path) as source, naming(copy), copy.open("wb") as target:
                shutil.copyfileobj(source, target, _COPIED_AT_ONCE)
            unpacked.append(copy)
        else:
            unpacked.append(path)
    return unpacked


def _expand(written: str, path: Path, workspace: Workspace, declared: ReadFormat | None) -> Iterator[Path]:
    if path.is_dir():
        yield from _in_folder(written, path, declared)
    elif path.exists():
        yield path
    elif glob.has_magic(written):
        found = workspace.matching(written)
        if not found:
            raise FatalError(
                f"no file matches {written!r}", hint=f"looked in {path.parent}", code=Code.NO_FILE
            )
        yield from found
    else:
        raise _missing(written, path)


def _in_folder(written: str, folder: Path, declared: ReadFormat | None) -> Iterator[Path]:
    """The data files below a folder; names that begin with a dot or underscore are not data."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        found += [require_text(Path(place) / name) for name in sorted(names) if name[0] not in "._"]
    if not found:
        raise FatalError(f"{written!r} is a folder without files")
    kind = declared or format_of(str(found[0]))
    if declared is None and any(format_of(str(file)) != kind for file in found):
        raise FatalError(
            f"{written!r} is a folder with files of several formats", hint="name a pattern: folder/*.csv"
        )
    yield from found


def _missing(written: str, path: Path) -> FatalError:
    folder = path.parent
    if not folder.is_dir():
        hint = f"there is no folder {folder}"
        return FatalError(f"there is no file {written!r}", hint=hint, code=Code.NO_FILE)
    names = [entry.name for entry in folder.iterdir() if entry.name[0] != "."]
    hint = did_you_mean(path.name, names) or f"looked in {folder}"
    return FatalError(f"there is no file {written!r}", hint=hint, code=Code.NO_FILE)


def _copy_stream(stream: Path, file: Path) -> None:
    with disk_errors(stream, "read"), stream.open("rb") as source, naming(file), file.open("wb") as target:
        shutil.copyfileobj(source, target, _COPIED_AT_ONCE)

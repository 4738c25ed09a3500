"""A store as a file system of DuckDB's: paths in SQL lead into a bucket. Ranges are read where they are; what SQL writes waits on
this machine until it is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from windlass.connectors.stores.choosing import matches, matching
from windlass.connectors.stores.where import Where
from windlass.errors import WindlassError
from windlass.storage.objects import Object
from windlass.temporary import TemporaryFolder

__all__ = ["Finder", "StoreFileSystem"]

Finder: TypeAlias = Callable[[str], Where]
"""The object that a path means, without what it begins with."""

_BLOCK = 4 << 20


class StoreFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """Objects by `protocol://path`. Each is pinned when it is first looked at, so that whoever reads it twice reads the same."""

    cachable = False

    def __init__(self, protocol: str, where: Finder, scratch: Path | None) -> None:
        super().__init__()
        self.protocol = protocol
        self.error: WindlassError | None = None
        """What went wrong last: DuckDB only has it as text."""
        self._where, self._scratch = where, scratch
        self._folder: TemporaryFolder | None = None
        self._written: dict[str, Path] = {}
        self._pinned: dict[str, Object] = {}

    def publish(self) -> None:
        """Let what was written take effect, each object whole."""
        for path, file in self._written.items():
            where = self._where(path)
            found = where.store.look(where.key)
            upload = where.store.begin_upload(where.key, "", file)
            try:
                brought = where.store.upload(where.key, upload, file)
                where.store.finish_upload(where.key, upload, brought, found and found.version)
            except BaseException:
                where.store.abort_upload(where.key, upload)
                raise

    def forget(self) -> None:
        """Forget what was written, and which versions were read."""
        self._written.clear()
        self._pinned.clear()
        self.error = None
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    # --- what DuckDB asks for ---

    def open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        path = self._inner(path)
        if "r" not in mode:
            return self._file_for(path).open("wb")
        if path in self._written:
            return self._written[path].open("rb")
        with self.told():
            if (found := self._pin(path)) is None:
                raise FileNotFoundError(path)
            return _Reader(self, path, self._where(path), found)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        path = self._inner(path)
        if path in self._written:
            return {"name": path, "size": self._written[path].stat().st_size, "type": "file"}
        with self.told():
            if (found := self._pin(path)) is None:
                raise FileNotFoundError(path)
            return {"name": path, "size": found.size, "type": "file"}

    def exists(self, path: str, **_: Any) -> bool:
        try:
            return bool(self.info(path))
        except FileNotFoundError:
            return False

    def isfile(self, path: str) -> bool:
        return self.exists(path)

    def isdir(self, path: str) -> bool:
        return False

    def modified(self, path: str) -> datetime:
        """A time that is another one where the version is."""
        found = self._pin(self._inner(path))
        digest = sha256((found.version if found else "").encode()).digest()
        return datetime.fromtimestamp(int.from_bytes(digest[:4]), UTC)

    def glob(self, path: str, **_: Any) -> list[str]:
        path = self._inner(path)
        with self.told():
            where = self._where(path)
            found = {self._named(path, where.key, each.key) for each in matching(where)}
        return sorted({*found, *(name for name in self._written if matches(name, path))})

    def _named(self, path: str, pattern: str, key: str) -> str:
        """The path of an object that a pattern has found."""
        if pattern.endswith(path):  # the bucket's own prefix stands before it
            return key.removeprefix(pattern.removesuffix(path))
        return path.removesuffix(pattern) + key

    def _inner(self, path: str) -> str:
        return path.removeprefix(f"{self.protocol}://")

    def _pin(self, path: str) -> Object | None:
        if path not in self._pinned:
            where = self._where(path)
            if (found := where.store.look(where.key)) is None:
                return None
            self._pinned[path] = found
        return self._pinned[path]

    def _file_for(self, path: str) -> Path:
        if self._folder is None:
            self._folder = TemporaryFolder(self._scratch)
        if path not in self._written:
            self._written[path] = self._folder.path / str(len(self._written))
        return self._written[path]

    @contextmanager
    def told(self) -> Iterator[None]:
        """Keep what goes wrong for whoever waits for the error."""
        try:
            yield
        except WindlassError as exc:
            self.error = exc
            raise


class _Reader(AbstractBufferedFile):  # type: ignore[misc]
    """Just the version of an object that was there when it was first looked at."""

    def __init__(self, system: StoreFileSystem, path: str, where: Where, found: Object) -> None:
        self._object, self._store, self._system = found, where.store, system
        super().__init__(system, path, "rb", block_size=_BLOCK, cache_type="readahead", size=found.size)

    def _fetch_range(self, start: int, end: int) -> bytes:
        with self._system.told():
            return b"".join(self._store.read(self._object, start, end))

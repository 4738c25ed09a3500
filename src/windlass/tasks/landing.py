"""Where a file that a task has brought is put: into the workspace, or into a store."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from windlass import logs
from windlass.connectors.stores.where import Where, store_at, stored_path
from windlass.errors import FatalError, naming
from windlass.files import beside, disk_errors, put, require_file_place, resolved, sync
from windlass.ledger import LedgerEntry
from windlass.storage.objects.one import OneObject
from windlass.tasks.context import Context
from windlass.workspace import is_stored

__all__ = ["Landing", "landing_at", "sha256_of"]


class Landing(Protocol):
    """A place for one file."""

    @property
    def waiting(self) -> Path:
        """Where it is brought to first. What has arrived is still there at the next attempt."""

    def size_of(self, sha256: str) -> int | None:
        """The bytes of what is there, if that is its SHA-256."""

    def put(self, file: Path) -> None:
        """Put the file into its place whole. What is the same stays as it is, for whoever goes by its time of change."""


def landing_at(connection: str | None, path: str, context: Context, entry: LedgerEntry) -> Landing:
    """The place that a path means; in the bucket of a connection, if one is named. Raises FatalError."""
    if connection is None and not is_stored(path):
        target = resolved(context.workspace.to_write(path))
        require_file_place(target)
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        return _InWorkspace(target, path)
    where = (
        stored_path(path) if connection is None else store_at(context.address(connection), connection, path)
    )
    if not where.key or where.key.endswith("/"):
        raise FatalError(f"{where.name!r} names no object", hint="write out the key of the object")
    folder = context.folder.shared / "landing"
    folder.mkdir(parents=True, exist_ok=True)
    waiting = folder / hashlib.sha256(f"{entry.task} {where.name}".encode()).hexdigest()[:24]
    return _InStore(where, waiting, entry, context.scratch_folder)


@dataclass(frozen=True)
class _InWorkspace:
    """Implements `Landing`."""

    target: Path
    written: str

    @property
    def waiting(self) -> Path:
        return beside(self.target, ".part")

    def size_of(self, sha256: str) -> int | None:
        if not self.target.is_file() or sha256_of(self.target) != sha256:
            return None
        return self.target.stat().st_size

    def put(self, file: Path) -> None:
        with disk_errors(self.target):
            if self._has(file):
                logs.info("unchanged", file=self.written)
                return
            sync(file)
            put(file, self.target)

    def _has(self, file: Path) -> bool:
        if not self.target.is_file() or self.target.stat().st_size != file.stat().st_size:
            return False
        return sha256_of(self.target) == sha256_of(file)


@dataclass(frozen=True)
class _InStore:
    """Implements `Landing`. The manifest beside the object says what its bytes are, so that nobody has to read them."""

    where: Where
    waiting: Path
    entry: LedgerEntry
    scratch: Path

    @property
    def _place(self) -> OneObject:
        return OneObject(self.where.store, self.where.key, self.scratch)

    def size_of(self, sha256: str) -> int | None:
        found = self._place.written_by(sha256)
        return None if found is None else found.size

    def put(self, file: Path) -> None:
        digest = sha256_of(file)
        if self.size_of(digest) is not None:
            logs.info("unchanged", file=self.where.name)
            return
        entry = replace(self.entry, digest=digest, load_id=str(uuid.uuid4()))
        with self._place.begin(entry) as staged:
            with naming(staged.path):
                shutil.copyfile(file, staged.path)
            staged.commit(entry)


def sha256_of(file: Path) -> str:
    """In hexadecimal."""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()

"""A single file as a place for rows.

A file's rows and its manifest cannot be written at once, so a commit has three steps: the manifest says
which temporary file (by inode, size and time) is about to take the file's place; the file is renamed;
the manifest says that it happened. Whoever finds the first step without the third compares the file
that is there with the one announced, and knows which of the two moments the writer died at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from windlass import failpoints, logs
from windlass.errors import RetryableError
from windlass.files import beside, disk_errors, locked_folder, require_file_place, sync
from windlass.ledger import LedgerEntry
from windlass.storage import manifest
from windlass.storage.history import History
from windlass.storage.manifest import committed_now
from windlass.storage.turns import Turn, Turns, remove

__all__ = ["OneFile"]

_AFTER = ".after"


class OneFile:
    """A file, and its manifest beside it. Implements `Place`. `path` is resolved."""

    names_are_used_again = True

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.manifest_file = beside(path, ".windlass.json")
        self.turns = Turns(path)
        self._history = History(beside(path, ".windlass-loads"))

    def exists(self) -> bool:
        return self.path.exists()

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        return manifest.read(self.manifest_file).find(entry) or self._history.find(entry)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return manifest.read(self.manifest_file).last_cursor(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        """See `Place`. What these starts left is removed."""
        if not self.path.parent.is_dir():
            return None
        with disk_errors(self.path), locked_folder(self.path.parent):
            for leftover in self.turns.leftovers():
                if self.turns.writer_of(leftover) in loads:
                    remove(leftover)
            self._settle_commit()
        return self.find(entry)

    def begin(self, entry: LedgerEntry) -> StagedFile:
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.turns.await_turn(entry, alone=True):
                for leftover in self.turns.leftovers():
                    logs.warning("removed_leftover", file=str(leftover))
                    remove(leftover)
                self._settle_commit()
                self._keep_manifest_short()
                return StagedFile(self, self.turns.take(entry, alone=True))

    def _settle_commit(self) -> None:
        """Finish, in the manifest, a commit whose writer died between its steps."""
        failpoints.reach("during-recovery")
        for ending in (".tmp", _AFTER):
            remove(self.manifest_file.with_name(f"{self.manifest_file.name}{ending}"))
        known = manifest.read(self.manifest_file)
        if known.pending is None:
            return
        happened = identity(self.path) == known.pending["file"]
        logs.info("commit_settled", file=str(self.path), committed=happened)
        entry = LedgerEntry(**known.pending["entry"])
        settled = known.with_load(entry) if happened else manifest.Manifest(known.loads)
        manifest.write(self.manifest_file, settled)

    def _keep_manifest_short(self) -> None:
        known = manifest.read(self.manifest_file)
        if past := known.past():
            self._history.add(past)
            failpoints.reach("during-recovery")
            manifest.write(self.manifest_file, known.without(past))


class StagedFile:
    """What will be the file. Implements `Staged`."""

    def __init__(self, place: OneFile, turn: Turn) -> None:
        self.path = turn.temporary
        self._place, self._turn = place, turn
        self._before = identity(place.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()
        self._turn.leave()

    def discard(self) -> None:
        remove(self.path)

    def require_writer(self) -> None:
        self._turn.require()

    def commit(self, entry: LedgerEntry) -> None:
        with disk_errors(self._place.path):
            self._sync()
            with locked_folder(self._place.path.parent):
                self.require_writer()
                self._require_unchanged()
                self._commit(committed_now(entry))
        failpoints.reach("after-commit")

    def _sync(self) -> None:
        try:
            sync(self.path)
        except FileNotFoundError:
            self.require_writer()  # whoever took over has removed it
            raise

    def _require_unchanged(self) -> None:
        """What is about to be replaced is what was there when the rows that stay were read."""
        require_file_place(self._place.path)
        if identity(self._place.path) != self._before:
            hint = "nothing of this load was committed; see who else writes there"
            message = f"{self._place.path} was written by somebody else meanwhile"
            raise RetryableError(message, hint=hint)

    def _commit(self, entry: LedgerEntry) -> None:
        file, target = self._place.manifest_file, self._place.path
        known = manifest.read(file)
        failpoints.reach("before-ledger")
        _take_owner_and_mode(self.path, target)
        with manifest.prepared(
            file, known.with_load(entry), _AFTER
        ) as after:  # from the announcement on, no space
            manifest.write(file, known.announcing(identity(self.path), entry))  # is needed any more
            failpoints.reach("after-ledger")
            failpoints.reach("before-commit")
            self.path.replace(target)
            sync(target.parent)
            failpoints.reach("mid-rename")
            after.replace(file)
        sync(file.parent)


def identity(path: Path) -> dict[str, int]:
    """What tells a file from another one, and from itself after a change; nothing where none is."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return {}
    return {"inode": state.st_ino, "size": state.st_size, "mtime_ns": state.st_mtime_ns}


def _take_owner_and_mode(path: Path, example: Path) -> None:
    """Who may read the old file may read the new one, and nobody else."""
    if not example.exists():
        return
    state = example.stat()
    with suppress(PermissionError):
        os.chown(path, state.st_uid, state.st_gid)
    shutil.copymode(example, path)

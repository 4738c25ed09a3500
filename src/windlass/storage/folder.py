"""A folder of files as a place for rows. It carries its manifest with it, and is exchanged whole.

Only files that the manifest lists are windlass's, and only those are ever removed. A folder with anything
else in it is replaced by nobody; where rows are added, what else is there comes along. Whatever arrives in
the old folder in the moment of the exchange goes to the new one.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from windlass import failpoints, logs
from windlass.errors import FatalError, naming
from windlass.files import disk_errors, locked_folder, sync
from windlass.ledger import LedgerEntry
from windlass.storage import manifest
from windlass.storage.manifest import committed_now
from windlass.storage.turns import Turn, Turns, remove

__all__ = ["MANIFEST", "Folder"]

MANIFEST = ".windlass-manifest.json"
_OWN = {MANIFEST, f"{MANIFEST}.tmp"}
_OLD = ".old"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)
_SHOWN = 3


class Folder:
    """A folder. Implements `Place`. `path` is resolved; `adding`: what is there stays.

    Loads that only add, and are not `alone`, go side by side: each brings along what is there at its commit.
    """

    names_are_used_again = True

    def __init__(
        self, path: Path, *, adding: bool, alone: bool = True, protected: Sequence[Path] = ()
    ) -> None:
        self.path, self.name, self.adding = path, str(path), adding
        self.turns = Turns(path)
        self._alone, self._protected = alone or not adding, protected

    def exists(self) -> bool:
        return self.path.exists()

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        return self.manifest().find(entry)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return self.manifest().last_cursor(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        """See `Place`. What these starts left is removed."""
        if not self.path.parent.is_dir():
            return None
        with disk_errors(self.path), locked_folder(self.path.parent):
            self.clear(lambda writer: writer in loads)
        return self.find(entry)

    def begin(self, entry: LedgerEntry) -> StagedFolder:
        with disk_errors(self.path):
            self._refuse_what_is_no_place()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.turns.await_turn(entry, alone=self._alone):
                at_work = self.turns.at_work()
                for leftover in self.turns.leftovers():
                    if self.turns.writer_of(leftover) not in at_work:
                        logs.warning("removed_leftover", file=str(leftover))
                self.clear(lambda writer: writer not in at_work)
                self.require_own()
                return StagedFolder(self, entry.load_id, self.turns.take(entry, alone=self._alone))

    def _refuse_what_is_no_place(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise FatalError(f"{self.path} is not a folder")
        for other in (*self._protected, Path.home()):
            if other.resolve().is_relative_to(self.path):
                what = "the" if other == self.path else "above the"
                raise FatalError(
                    f"{self.path}/ would be exchanged as a whole, and it is {what} folder {other}",
                    hint="name a folder of its own for the rows, such as out/orders/",
                )

    def manifest(self) -> manifest.Manifest:
        """What was loaded, and which files are ours."""
        return manifest.read(self.path / MANIFEST)

    def require_own(self) -> None:
        """Raise FatalError when exchanging the folder would remove what windlass did not write."""
        if self.adding or not self.path.is_dir():
            return
        ours = {*_OWN, *self.manifest().files}
        others = [name for name in _content(self.path) if name not in ours]
        if others:
            shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
            what = "1 file" if len(others) == 1 else f"{len(others)} files"
            raise FatalError(
                f"{self.path}/ has {what} that windlass did not write: {shown}",
                hint="name a folder of its own for the rows; or add to what is there with `mode: append`",
            )

    # --- what is there and what takes its place ---

    def exchange(self, staged: Path) -> Path:
        """Put the staged folder into the place. Returns where what was there is now."""
        old = staged.with_name(f"{staged.name}{_OLD}")
        if not self.path.exists():
            staged.rename(self.path)
            return old
        shutil.copystat(self.path, staged)
        os.utime(staged)  # whoever goes by the time of a folder would not look at this one
        if _exchanged(staged, self.path):
            return staged
        self.path.rename(old)
        failpoints.reach("mid-exchange")
        staged.rename(self.path)
        return old

    def clear(self, is_gone: Callable[[str], bool]) -> None:
        """Finish or undo what the writers that are gone have left."""
        failpoints.reach("during-recovery")
        left = [path for path in self.turns.leftovers() if is_gone(self.turns.writer_of(path))]
        for path in left:
            if path.suffix == _OLD and not self.path.exists():  # its writer died amid the exchange
                path.rename(self.path)
        committed = {load.load_id for load in self.manifest().loads}
        for path in filter(Path.exists, left):
            if path.is_dir() and (path.suffix == _OLD or self.turns.writer_of(path) in committed):
                self.retire(path)
            else:
                remove(path)

    def retire(self, old: Path) -> None:
        """Remove the old folder: its files that were ours, and second links to those that are in the new one."""
        if not old.exists():
            return
        ours = {*_OWN, *manifest.read(old / MANIFEST).files}
        for name in list(_content(old, with_empty_folders=True)):
            if name in ours or _is_same(old / name, self.path / name):
                (old / name).unlink()
            else:
                self._bring_along(old / name, self.path / name)
        for folder, _, _ in os.walk(old, topdown=False):
            Path(folder).rmdir()

    def _bring_along(self, late: Path, place: Path) -> None:
        """Move what arrived in the old folder too late to be seen to the new one."""
        if late.is_dir() and not late.is_symlink():
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        free, number = place, 0
        while os.path.lexists(free):
            number += 1
            free = place.with_name(f"{place.name}.{number}")
        logs.warning("brought_along", file=str(free))
        late.rename(free)


class StagedFolder:
    """What will be the folder. Implements `Staged`."""

    def __init__(self, place: Folder, writer: str, turn: Turn) -> None:
        self.path = turn.temporary
        self._place, self._writer, self._turn = place, writer, turn

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what is left, the next writer finds
            self._place.clear(lambda writer: writer == self._writer)
        self._turn.leave()

    def discard(self) -> None:
        remove(self.path)

    def require_writer(self) -> None:
        self._turn.require()

    def commit(self, entry: LedgerEntry) -> None:
        place = self._place
        with disk_errors(place.path):
            try:
                new = self._synced()
            except FileNotFoundError:
                self.require_writer()  # whoever took over has removed it
                raise
            with locked_folder(place.path.parent):
                self.require_writer()
                place.require_own()
                failpoints.reach("before-ledger")
                known = place.manifest()
                kept = self._bring_what_stays(known.files) if place.adding else []
                after = replace(known.with_load(committed_now(entry)), files=tuple(sorted({*kept, *new})))
                manifest.write(self.path / MANIFEST, after)
                failpoints.reach("after-ledger")
                failpoints.reach("before-commit")
                old = place.exchange(self.path)
                sync(place.path.parent)
                failpoints.reach("mid-rename")
                try:
                    place.retire(old)
                except OSError as exc:  # it is committed, whatever becomes of the old one
                    logs.warning("old_files_stay", folder=str(old), because=str(exc))
        failpoints.reach("after-commit")

    def _synced(self) -> list[str]:
        """The files that were written, now durable."""
        names = sorted(_content(self.path))
        for name in names:
            sync(self.path / name)
        for folder in {(self.path / name).parent for name in names}:
            sync(folder)
        return names

    def _bring_what_stays(self, ours: Sequence[str]) -> list[str]:
        """Link everything that is in the folder into the new one. Returns the names of those that are ours."""
        there, here = self._place.path, self.path
        if not there.exists():
            return []
        names = [name for name in _content(there, with_empty_folders=True) if name not in _OWN]
        for name in names:
            if (there / name).is_dir() and not (there / name).is_symlink():
                self._make_folders(here / name, there / name)
            else:
                self._make_folders((here / name).parent, (there / name).parent)
                _link(there / name, here / name)
        return [name for name in names if name in ours]

    def _make_folders(self, here: Path, there: Path) -> None:
        if not here.exists():
            self._make_folders(here.parent, there.parent)
            here.mkdir()
            shutil.copystat(there, here)


def _link(there: Path, here: Path) -> None:
    """Have a file in two folders; a copy of it where the disk has no links, such as that of a USB stick or a share."""
    try:
        os.link(there, here, follow_symlinks=False)
    except OSError as exc:
        is_plain = stat.S_ISREG(there.lstat().st_mode) or there.is_symlink()
        if exc.errno not in _NO_LINKS or not is_plain:
            raise
        with naming(here):
            shutil.copy2(there, here, follow_symlinks=False)


def _content(folder: Path, *, with_empty_folders: bool = False) -> Iterator[str]:
    """Everything below a folder but folders, by its path from there. Links are not followed."""
    for place, folders, names in os.walk(folder, onerror=_raise):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found = [*names, *links]
        for name in sorted(found):
            yield str((Path(place) / name).relative_to(folder))
        if with_empty_folders and not found and not folders and Path(place) != folder:
            yield str(Path(place).relative_to(folder))


def _raise(error: OSError) -> None:
    raise error


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths are the same file, or link."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False


def _exchanged(one: Path, other: Path) -> bool:
    """Let two paths trade places at once. False where the system cannot (Linux's renameat2 can)."""
    import ctypes

    exchange, at_cwd = 2, -100
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0)

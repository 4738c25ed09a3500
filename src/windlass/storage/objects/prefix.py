"""The objects below a prefix as a place for rows.

Each has a name that is never used again. Those of a load are named in the manifest before the first of them is brought,
and become part of what is there when the manifest says so, in one step. Those that they replace are removed after that.
Only objects that the manifest names are ever removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

from windlass import failpoints, logs
from windlass.errors import FatalError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.storage.manifest import committed_now
from windlass.storage.objects.ledger import Ledger, LedgerObject, Start
from windlass.storage.objects.past import Past, files_of
from windlass.storage.objects.places import ObjectsPlace, StagedRows
from windlass.storage.objects.store import ChangedError, Store, Upload
from windlass.storage.objects.turns import Turn

__all__ = ["MANIFEST", "Prefix", "StagedObjects", "notes_of"]

MANIFEST = ".windlass-manifest.json"
_OURS = ".windlass-"
_NOTES = f"{_OURS}pieces/"
_ID = 36  # characters of the id of a load
_SHOWN, _AT_ONCE = 3, 4


class Prefix(ObjectsPlace):
    """The objects below a prefix, and their manifest. Implements `Place`. `adding`: what is there stays.

    Loads that only add, and are not `alone`, go side by side.
    """

    names_are_used_again = False

    def __init__(
        self, store: Store, prefix: str, *, adding: bool, alone: bool, scratch: Path | None = None
    ) -> None:
        self.prefix, self.adding = prefix, adding
        self._alone = alone or not adding
        ledger = LedgerObject(store, f"{prefix}{MANIFEST}")
        name = f"{store.name}/{prefix}".rstrip("/")
        super().__init__(store, name, ledger, Past(store, ledger, prefix), scratch)

    def exists(self) -> bool:
        return next(iter(self.store.list(self.prefix)), None) is not None

    def begin(self, entry: LedgerEntry) -> StagedObjects:
        turn = self._turns.take(entry, alone=self._alone)
        staged = StagedObjects(self, entry.load_id, turn)
        try:
            self._past.keep_short()
            self.sweep(self.ledger.read())
            self.require_own(turn)
        except BaseException:
            staged.__exit__()
            raise
        return staged

    def give_up(self, starts: Iterable[Start]) -> None:
        ended = {start.load_id: start for start in starts}
        if ended:
            failpoints.reach("during-recovery")
            self.sweep(self.ledger.change(lambda known: _without(known, ended.keys())))
        if by_others := {load_id for load_id, start in ended.items() if start.by_others}:
            self.forget_others(by_others)

    def forget_others(self, over: Collection[str] = ()) -> None:
        """Give up what other processes have begun for these loads, and remove what they were told. Some may go on for a while
        without knowing that, so it is done also for loads of which there is something, and that are not at work any more.
        """
        begun = self.store.begun(self.prefix)
        told = f"{self.prefix}{_NOTES}"
        notes = [(found.key, found.key.removeprefix(told)[:_ID]) for found in self.store.list(told)]
        at_work = {
            start.load_id for start in self.ledger.read().starts
        }  # looked at after what they have begun
        gone = ({load_id for _, load_id in notes} - at_work).union(over)
        for whose, upload in begun:
            if any(load_id in whose for load_id in gone):
                self.store.abort_upload(whose, upload)
        self.store.delete(key for key, load_id in notes if load_id in gone)

    def sweep(self, known: Ledger) -> None:
        """Remove what is not part of what is there any more."""
        if gone := set(known.retired):
            self.store.delete(f"{self.prefix}{name}" for name in known.retired)
            self.ledger.change(
                lambda now: replace(now, retired=tuple(n for n in now.retired if n not in gone))
            )

    def require_own(self, turn: Turn) -> None:
        """Raise FatalError when replacing would leave what windlass did not write among the rows."""
        known = self.ledger.read()
        while not self.adding:
            others = list(islice(self._others(known), _SHOWN + 1))
            now = self.ledger.read()
            turn.require(now)
            if not others:
                return
            if now == known:  # else it may be what another start has brought meanwhile
                raise self._refusal(others)
            known = now

    def files(self, known: Ledger) -> Iterator[str]:
        """The names of all that is part of what is there."""
        return files_of(self.store, self.prefix, known)

    def _refusal(self, others: Sequence[str]) -> FatalError:
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        return FatalError(
            f"{self.name}/ has objects that windlass did not write: {shown}",
            hint="name a prefix of its own for the rows; or add to what is there with `mode: append`",
        )

    def _others(self, known: Ledger) -> Iterator[str]:
        coming = (name for start in known.starts for name in start.files)
        ours = {*self.files(known), *known.retired, *coming}
        names = (found.key.removeprefix(self.prefix) for found in self.store.list(self.prefix))
        data = (name for name in names if name and not name.endswith("/") and not name.startswith(_OURS))
        return (name for name in data if name not in ours)


def notes_of(load_id: str) -> str:
    """What the keys of what a load tells other processes begin with, below its prefix."""
    return f"{_NOTES}{load_id}/"


def _without(known: Ledger, gone: Collection[str]) -> Ledger:
    """The ledger without these starts; what they have brought is to be removed."""
    left = [name for start in known.starts if start.load_id in gone for name in start.files]
    starts = tuple(start for start in known.starts if start.load_id not in gone)
    return replace(known, starts=starts, retired=(*known.retired, *left))


class StagedObjects(StagedRows):
    """What will be below the prefix. Implements `Staged`."""

    _place: Prefix

    def __init__(self, place: Prefix, load_id: str, turn: Turn) -> None:
        super().__init__(place, load_id, turn)
        self._brought: tuple[str, ...] = ()
        self._uploads: Sequence[Upload] = ()
        self._is_by_others = False

    def expect(self) -> None:
        """Let other processes begin uploads for this load, to keys that have its id in their names: whoever settles it gives
        them up. Only what is taken then takes effect, with the commit.
        """
        self._is_by_others = True
        self._place.ledger.change(
            lambda known: known.with_start(replace(self._turn.require(known), by_others=True))
        )

    def take(self, uploads: Sequence[Upload]) -> None:
        """Let these uploads be what is loaded."""
        self._uploads = uploads

    def _leave_nothing(self) -> None:
        super()._leave_nothing()
        if self._is_by_others:  # of tries that nobody waited for, also where the load has committed
            self._place.forget_others([self._load_id])
        place, known = self._place, self._place.ledger.read()
        left = [name for name in self._brought if name not in known.files]
        if left:  # of a writer that was overtaken, unless they are on a page by now
            kept = set(place.files(known))
            place.store.delete(f"{place.prefix}{name}" for name in left if name not in kept)

    def discard(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def commit(self, entry: LedgerEntry) -> None:
        place = self._place
        files = {path.relative_to(self.path).as_posix(): path for path in self._files()}
        failpoints.reach("before-ledger")
        self._brought = (*files, *(upload.name for upload in self._uploads))
        place.ledger.change(self._announced)
        failpoints.reach("after-ledger")
        with ThreadPoolExecutor(_AT_ONCE, "upload") as pool:
            keys = (f"{place.prefix}{name}" for name in files)
            list(pool.map(place.store.put_file, keys, files.values(), repeat(self._load_id)))
            list(pool.map(self._finish, self._uploads))
        if self._is_by_others:
            place.forget_others([self._load_id])
        place.require_own(self._turn)
        failpoints.reach("before-commit")
        committed = committed_now(entry)
        known = place.ledger.change(lambda known: self._committed(known, committed))
        failpoints.reach("mid-rename")
        try:
            place.sweep(known)
        except WindlassError as exc:  # it is committed, whatever becomes of the old ones
            logs.warning("old_files_stay", folder=place.name, because=str(exc))
        failpoints.reach("after-commit")

    def _finish(self, one: Upload) -> None:
        key, store = f"{self._place.prefix}{one.name}", self._place.store
        try:
            store.finish_upload(key, one.upload, one.brought, None)
        except ChangedError:
            found = store.look(key)
            if found is None or (found.load, found.size) != (self._load_id, one.size):
                raise  # else it took effect, and only its answer was lost

    def _files(self) -> list[Path]:
        return sorted(path for path in self.path.rglob("*") if path.is_file())

    def _announced(self, known: Ledger) -> Ledger:
        return known.with_start(replace(self._turn.require(known), files=self._brought))

    def _committed(self, known: Ledger, entry: LedgerEntry) -> Ledger:
        if known.has(entry.load_id):
            return known
        new = self._turn.require(known).files
        if self._place.adding:
            return replace(known.committed(entry), files=(*known.files, *new))
        old = (*self._place.files(known), *known.pages)
        return replace(known.committed(entry), files=new, pages=(), retired=(*known.retired, *old))

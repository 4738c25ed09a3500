"""The objects below a prefix as a place for rows.

Each has a name that is never used again. Those of a load are named in the manifest before the first of them is brought,
and become part of what is there when the manifest says so, in one step. Those that they replace are removed after that.
Only objects that the manifest names are ever removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path
from typing import Self

from windlass import failpoints, logs
from windlass.errors import FatalError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.storage.manifest import committed_now
from windlass.storage.objects.ledger import Ledger, LedgerObject, Start
from windlass.storage.objects.store import Store
from windlass.storage.objects.turns import Turn, Turns
from windlass.temporary import TemporaryFolder

__all__ = ["MANIFEST", "Prefix"]

MANIFEST = ".windlass-manifest.json"
_SHOWN, _AT_ONCE = 3, 4


class Prefix:
    """The objects below a prefix, and their manifest. Implements `Place`. `adding`: what is there stays.

    Loads that only add, and are not `alone`, go side by side.
    """

    names_are_used_again = False

    def __init__(
        self, store: Store, prefix: str, *, adding: bool, alone: bool, scratch: Path | None = None
    ) -> None:
        self.store, self.prefix, self.adding, self.scratch = store, prefix, adding, scratch
        self._alone = alone or not adding
        self.name = f"{store.name}/{prefix}".rstrip("/")
        self.ledger = LedgerObject(store, f"{prefix}{MANIFEST}")
        self._turns = Turns(self.name, store, self.ledger, self.give_up)

    def exists(self) -> bool:
        return next(iter(self.store.list(self.prefix)), None) is not None

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        return self.ledger.read().find(entry)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return self.ledger.read().last_cursor(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        self.give_up(start for start in self.ledger.read().starts if start.load_id in loads)
        return self.find(entry)

    def begin(self, entry: LedgerEntry) -> StagedObjects:
        turn = self._turns.take(entry, alone=self._alone)
        staged = StagedObjects(self, entry.load_id, turn)
        try:
            self.sweep(self.ledger.read())
            self.require_own(turn)
        except BaseException:
            staged.__exit__()
            raise
        return staged

    def give_up(self, starts: Iterable[Start]) -> None:
        """Let starts commit no more, and remove what they have brought."""
        gone = {start.load_id for start in starts}
        if gone:
            failpoints.reach("during-recovery")
            self.sweep(self.ledger.change(lambda known: _without(known, gone)))

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

    def _refusal(self, others: Sequence[str]) -> FatalError:
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        return FatalError(
            f"{self.name}/ has objects that windlass did not write: {shown}",
            hint="name a prefix of its own for the rows; or add to what is there with `mode: append`",
        )

    def _others(self, known: Ledger) -> Iterator[str]:
        coming = (name for start in known.starts for name in start.files)
        ours = {*known.files, *known.retired, *coming}
        names = (found.key.removeprefix(self.prefix) for found in self.store.list(self.prefix))
        data = (name for name in names if name and not name.endswith("/") and not name.startswith(MANIFEST))
        return (name for name in data if name not in ours)


def _without(known: Ledger, gone: Collection[str]) -> Ledger:
    """The ledger without these starts; what they have brought is to be removed."""
    left = [name for start in known.starts if start.load_id in gone for name in start.files]
    starts = tuple(start for start in known.starts if start.load_id not in gone)
    return replace(known, starts=starts, retired=(*known.retired, *left))


class StagedObjects:
    """What will be below the prefix. Implements `Staged`."""

    def __init__(self, place: Prefix, load_id: str, turn: Turn) -> None:
        self._place, self._load_id, self._turn = place, load_id, turn
        self._brought: tuple[str, ...] = ()
        self._folder = TemporaryFolder(place.scratch)
        self.path = self._folder.path / "rows"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.remove()
        with suppress(WindlassError):  # what is left, the next writer finds
            known = self._place.ledger.read()
            mine = known.start(self._load_id)
            self._place.give_up([mine] if mine else [])
            left = [
                name for name in self._brought if name not in known.files
            ]  # by a writer that was overtaken
            self._place.store.delete(f"{self._place.prefix}{name}" for name in left)
        self._turn.leave()

    def discard(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def require_writer(self) -> None:
        self._turn.require(self._place.ledger.read())

    def commit(self, entry: LedgerEntry) -> None:
        place = self._place
        files = {path.relative_to(self.path).as_posix(): path for path in self._files()}
        failpoints.reach("before-ledger")
        self._brought = tuple(files)
        place.ledger.change(self._announced)
        failpoints.reach("after-ledger")
        with ThreadPoolExecutor(_AT_ONCE, "upload") as pool:
            keys = (f"{place.prefix}{name}" for name in files)
            list(pool.map(place.store.put_file, keys, files.values(), repeat(self._load_id)))
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
        return replace(known.committed(entry), files=new, retired=(*known.retired, *known.files))

"""A single object as a place for rows.

The object and its manifest cannot be written at once. So a commit names its upload in the manifest, lets it take effect
on the condition that the object is the one that was there, and says that it happened. Whoever finds the first step without
the last aborts the upload, which can then take effect no more, and sees by the object's metadata whether it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from windlass import failpoints, logs
from windlass.errors import WindlassError
from windlass.ledger import LedgerEntry
from windlass.storage.manifest import committed_now
from windlass.storage.objects.ledger import Ledger, LedgerObject, Start
from windlass.storage.objects.store import ChangedError, Store
from windlass.storage.objects.turns import Turn, Turns, changed, finished
from windlass.temporary import TemporaryFolder

__all__ = ["OneObject"]


class OneObject:
    """An object, and its manifest beside it. Implements `Place`."""

    names_are_used_again = True

    def __init__(self, store: Store, key: str, scratch: Path | None = None) -> None:
        self.store, self.key, self.scratch = store, key, scratch
        self.name = f"{store.name}/{key}"
        folder, _, last = key.rpartition("/")
        self.ledger = LedgerObject(store, f"{folder}{'/' if folder else ''}.{last}.windlass.json")
        self._turns = Turns(self.name, store, self.ledger, self.settle_starts)

    def exists(self) -> bool:
        return self.store.look(self.key) is not None

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        return self.ledger.read().find(entry)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return self.ledger.read().last_cursor(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        self.settle_starts(start for start in self.ledger.read().starts if start.load_id in loads)
        return self.find(entry)

    def begin(self, entry: LedgerEntry) -> StagedObject:
        turn = self._turns.take(entry, alone=True)
        try:
            return StagedObject(self, entry.load_id, turn)
        except BaseException:
            turn.leave()
            raise

    def settle_starts(self, starts: Iterable[Start]) -> None:
        """Find out about starts whether they have committed; those that have not cannot from here on."""
        for start in starts:
            failpoints.reach("during-recovery")
            happened = self._has_happened(start)
            if start.upload:
                logs.info("commit_settled", file=self.name, committed=happened)
            self.ledger.change(
                lambda known, start=start, happened=happened: finished(known, start, happened=happened)  # type: ignore[misc]
            )

    def _has_happened(self, start: Start) -> bool:
        if not start.upload:
            return False
        if not self.is_by(start.load_id):
            self.store.abort_upload(self.key, start.upload)
        return self.is_by(start.load_id)

    def is_by(self, load_id: str) -> bool:
        """Whether what is there was written by this start of a load."""
        found = self.store.look(self.key)
        return found is not None and found.load == load_id


class StagedObject:
    """What will be the object. Implements `Staged`."""

    def __init__(self, place: OneObject, load_id: str, turn: Turn) -> None:
        self._place, self._load_id, self._turn = place, load_id, turn
        before = place.store.look(place.key)
        self._before = before and before.version
        self._folder = TemporaryFolder(place.scratch)
        self.path = self._folder.path / "rows"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.remove()
        with suppress(WindlassError):  # what is left, the next writer finds
            mine = self._place.ledger.read().start(self._load_id)
            self._place.settle_starts([mine] if mine else [])
        self._turn.leave()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)

    def require_writer(self) -> None:
        self._turn.require(self._place.ledger.read())

    def commit(self, entry: LedgerEntry) -> None:
        place = self._place
        upload = place.store.begin_upload(place.key, self._load_id)
        start = Start(committed_now(entry), upload=upload)
        failpoints.reach("before-ledger")
        try:
            place.ledger.change(lambda known: self._announced(known, start))
        except WindlassError:
            place.store.abort_upload(place.key, upload)
            raise
        failpoints.reach("after-ledger")
        self._bring(upload)
        failpoints.reach("mid-rename")
        place.ledger.change(lambda known: finished(known, start, happened=True))
        failpoints.reach("after-commit")

    def _announced(self, known: Ledger, start: Start) -> Ledger:
        self._turn.require(known)
        return known.with_start(start)

    def _bring(self, upload: str) -> None:
        place = self._place
        try:
            brought = place.store.upload(place.key, upload, self.path)
            failpoints.reach("before-commit")
            place.store.finish_upload(place.key, upload, brought, self._before)
        except ChangedError as exc:
            if place.is_by(self._load_id):
                return  # it took effect, and only its answer was lost
            self.require_writer()
            raise changed(place.name) from exc

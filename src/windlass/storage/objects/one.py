"""A single object as a place for rows.

The object and its manifest cannot be written at once. So a commit names its upload in the manifest, lets it take effect
on the condition that the object is the one that was there, and says that it happened. Whoever finds the first step without
the last aborts the upload, which can then take effect no more, and sees by the object's metadata whether it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from windlass import failpoints, logs
from windlass.errors import WindlassError
from windlass.ledger import LedgerEntry
from windlass.storage.manifest import committed_now
from windlass.storage.objects.ledger import Ledger, LedgerObject, Start
from windlass.storage.objects.past import Past
from windlass.storage.objects.places import ObjectsPlace, StagedRows
from windlass.storage.objects.store import ChangedError, Object, Store
from windlass.storage.objects.turns import Turn, changed, finished

__all__ = ["OneObject"]


class OneObject(ObjectsPlace):
    """An object, and its manifest beside it. Implements `Place`."""

    names_are_used_again = True

    def __init__(self, store: Store, key: str, scratch: Path | None = None) -> None:
        self.key = key
        folder, slash, last = key.rpartition("/")
        base = f"{folder}{slash}.{last}"
        ledger = LedgerObject(store, f"{base}.windlass.json")
        super().__init__(store, f"{store.name}/{key}", ledger, Past(store, ledger, base), scratch)

    def exists(self) -> bool:
        return self.store.look(self.key) is not None

    def begin(self, entry: LedgerEntry) -> StagedObject:
        turn = self._turns.take(entry, alone=True)
        try:
            self._past.keep_short()
            return StagedObject(self, entry.load_id, turn)
        except BaseException:
            turn.leave()
            raise

    def give_up(self, starts: Iterable[Start]) -> None:
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

    def written_by(self, digest: str) -> Object | None:
        """The object, if a load of this digest has written it."""
        found = self.store.look(self.key)
        if found is None or not found.load:
            return None
        loads = self.ledger.read().loads
        return found if any(e.load_id == found.load and e.digest == digest for e in loads) else None

    def is_by(self, load_id: str) -> bool:
        """Whether what is there was written by this start of a load."""
        found = self.store.look(self.key)
        return found is not None and found.load == load_id


class StagedObject(StagedRows):
    """What will be the object. Implements `Staged`."""

    _place: OneObject

    def __init__(self, place: OneObject, load_id: str, turn: Turn) -> None:
        before = place.store.look(place.key)
        self._before = before and before.version
        super().__init__(place, load_id, turn)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)

    def commit(self, entry: LedgerEntry) -> None:
        place = self._place
        upload = place.store.begin_upload(place.key, self._load_id, self.path)
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

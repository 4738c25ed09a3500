"""What a manifest of objects has no more itself, so that it stays short, however many loads and files there are: loads that are
long past, spread over some objects by a hash of what a load is known by, and pages of names of files.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from windlass.errors import FatalError
from windlass.ledger import LedgerEntry
from windlass.storage.objects.ledger import Ledger, LedgerObject
from windlass.storage.objects.store import Store

__all__ = ["Past", "files_of"]

_SPREAD = 64
_NAMES, _PAGE = 2_000, 1_000  # beyond so many files, pages of so many are made


class Past:
    """Beside the ledger of a place. `base` is what the keys of its objects begin with."""

    def __init__(self, store: Store, ledger: LedgerObject, base: str) -> None:
        self._store, self._ledger, self._base = store, ledger, base

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The entry of the same load, if it was moved here."""
        return self._loads(entry).read().find(entry)

    def keep_short(self) -> None:
        """Move here what the ledger has too much of. Others may do the same at the same time."""
        known = self._ledger.read()
        if loads := known.past():
            self._add(loads)
            self._ledger.change(lambda now: now.without_these(loads))
        while len(known.files) > _NAMES:
            known = self._turn_page(known.files[:_PAGE])

    def _add(self, loads: Iterable[LedgerEntry]) -> None:
        spread = defaultdict(list)
        for load in loads:
            spread[self._loads(load).key].append(load)
        for key, those in spread.items():
            LedgerObject(self._store, key).change(lambda known, those=those: known.with_past(those))  # type: ignore[misc]

    def _loads(self, entry: LedgerEntry) -> LedgerObject:
        digest = hashlib.sha256(json.dumps(entry.key).encode()).digest()
        return LedgerObject(self._store, f"{self._base}.windlass-loads/{digest[0] % _SPREAD:02}.json")

    def _turn_page(self, names: tuple[str, ...]) -> Ledger:
        """Have a page of its own for these names, unless somebody else has moved them meanwhile."""
        page = f".windlass-files/{uuid.uuid4()}.json"
        self._store.put(f"{self._base}{page}", msgspec.json.encode(names), None)
        known = self._ledger.change(lambda now: now.with_page(page, names))
        if page not in known.pages:
            self._store.delete([f"{self._base}{page}"])
        return known


def files_of(store: Store, base: str, known: Ledger) -> Iterator[str]:
    """The names of all files of a ledger, also those on its pages."""
    yield from known.files
    for page in known.pages:
        found = store.get(f"{base}{page}")
        if found is None:
            raise FatalError(
                f"{store.name}/{base}{page} is missing, which has names of files of the manifest"
            )
        yield from msgspec.json.decode(found[0], type=tuple[str, ...])

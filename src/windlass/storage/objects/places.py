"""What a single object and the objects below a prefix have in common, as places for rows."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from windlass.errors import WindlassError
from windlass.ledger import LedgerEntry
from windlass.storage.objects.ledger import LedgerObject, Start
from windlass.storage.objects.past import Past
from windlass.storage.objects.store import Store
from windlass.storage.objects.turns import Turn, Turns
from windlass.temporary import TemporaryFolder

__all__ = ["ObjectsPlace", "StagedRows"]


class ObjectsPlace(abc.ABC):
    """A place whose ledger is an object. Implements what `Place` asks of the ledger."""

    def __init__(
        self, store: Store, name: str, ledger: LedgerObject, past: Past, scratch: Path | None
    ) -> None:
        self.store, self.name, self.ledger, self.scratch = store, name, ledger, scratch
        self._past = past
        self._turns = Turns(name, store, ledger, self.give_up)

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        known = self.ledger.read()
        return known.find(entry) or (self._past.find(entry) if known.moved else None)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return self.ledger.read().last_cursor(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        self.give_up(start for start in self.ledger.read().starts if start.load_id in loads)
        return self.find(entry)

    @abc.abstractmethod
    def give_up(self, starts: Iterable[Start]) -> None:
        """Let starts commit no more, and find out about each whether it has. What they left is removed."""


class StagedRows:
    """What a start of a load has written and not committed. Implements most of `Staged`."""

    def __init__(self, place: ObjectsPlace, load_id: str, turn: Turn) -> None:
        self._place, self._load_id, self._turn = place, load_id, turn
        self._folder = TemporaryFolder(place.scratch)
        self.path = self._folder.path / "rows"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.remove()
        with suppress(WindlassError):  # what is left, the next writer finds
            self._leave_nothing()
        self._turn.leave()

    def _leave_nothing(self) -> None:
        """Give the load up, if it has not committed."""
        mine = self._place.ledger.read().start(self._load_id)
        self._place.give_up([mine] if mine else [])

    def require_writer(self) -> None:
        self._turn.require(self._place.ledger.read())

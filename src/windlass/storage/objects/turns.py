"""Whose turn it is at objects. A start of a load is a writer once the manifest names it, which it does for one alone, or for
several that go side by side.

A writer gives signs of life, each a new version of an object beside the manifest. Whoever waits sees none for a while, and
takes its turn away: then it cannot commit any more, should it only have been slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from windlass.errors import WindlassError
from windlass.ledger import LedgerEntry, fenced
from windlass.storage.objects.ledger import Ledger, LedgerObject, Start
from windlass.storage.objects.store import ChangedError, Store
from windlass.turns import Heartbeat, SignsOfLife, Waiting

__all__ = ["Turn", "Turns", "changed", "finished"]


class Turns:
    """The writers of one place. `settle` ends those that are given: it finds out whether they have committed."""

    def __init__(
        self, name: str, store: Store, ledger: LedgerObject, settle: Callable[[Iterable[Start]], None]
    ) -> None:
        self.name, self.store, self.ledger = name, store, ledger
        self._settle = settle

    def take(self, entry: LedgerEntry, *, alone: bool) -> Turn:
        """Become a writer, once no load is at work that this one cannot go beside; another start of this load is ended.

        Raises RetryableError when that takes too long.
        """
        waiting, signs = Waiting(self.name), SignsOfLife(self.store.silence)
        mine = Start(entry, alone)
        while True:
            others = [start for start in self.ledger.read().starts if mine.waits_for(start)]
            ended = [start for start in others if mine.ends(start) or self._is_gone(start, signs)]
            self._settle(ended)
            others = [start for start in others if start not in ended]
            if not others and self.ledger.change(lambda known: _with(known, mine)).start(mine.load_id):
                self._forget_signs()
                return Turn(self, mine)
            waiting.pause([start.entry.name for start in others])

    def _forget_signs(self) -> None:
        """Remove the signs of writers that have ended: one that was killed has left its own."""
        signs = [found.key for found in self.store.list(f"{self.ledger.key}.")]
        at_work = {self.sign(start.load_id) for start in self.ledger.read().starts} if signs else set()
        self.store.delete(key for key in signs if key not in at_work)

    def sign(self, load_id: str) -> str:
        """The object of the signs of life of a start."""
        return f"{self.ledger.key}.{load_id}"

    def _is_gone(self, start: Start, signs: SignsOfLife) -> bool:
        last = self.store.look(self.sign(start.load_id))
        return signs.are_missing(start.load_id, last and last.version)


def _with(known: Ledger, mine: Start) -> Ledger:
    """The ledger with this start, if it has to wait for no other."""
    return known if any(map(mine.waits_for, known.starts)) else known.with_start(mine)


class Turn:
    """The turn of one writer, until it leaves."""

    def __init__(self, turns: Turns, start: Start) -> None:
        self._turns, self._start = turns, start
        self._signs = 0
        self._heart = Heartbeat(turns.store.silence, self._give_sign)

    def require(self, known: Ledger) -> Start:
        """The start as the ledger has it. Raises FencedError when another start of the same load took over, ChangedError
        when somebody took this one for gone.
        """
        if (mine := known.start(self._start.load_id)) is not None:
            return mine
        if known.is_overtaken(self._start.entry):
            raise fenced(self._turns.name)
        raise changed(self._turns.name)

    def leave(self) -> None:
        """Be no writer any more."""
        self._heart.stop()
        if self._signs:
            with suppress(WindlassError):
                self._turns.store.delete([self._turns.sign(self._start.load_id)])

    def _give_sign(self) -> None:
        self._signs += 1
        key, store = self._turns.sign(self._start.load_id), self._turns.store
        last = store.look(key)
        store.put(key, str(self._signs).encode(), last and last.version)


def changed(name: str) -> ChangedError:
    """The error of a writer that finds another's work in its place."""
    hint = "nothing of this load was committed; see who else writes there"
    return ChangedError(f"{name} was written by somebody else meanwhile", hint=hint)


def finished(known: Ledger, start: Start, *, happened: bool) -> Ledger:
    """The ledger without the start; with its load, unless it or whoever else settled it has said so already."""
    current = known.start(start.load_id)
    if current is None:
        return known
    return known.committed(start.entry) if happened else replace(known, starts=known.others(start.load_id))

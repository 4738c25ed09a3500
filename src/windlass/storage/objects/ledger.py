"""The ledger of objects: a manifest beside an object, or below a prefix.

Whoever changes it puts a new one in the place of the very one that was read, or begins again from what another has
written. So it is also the lock: who is in it is a writer, and who is not any more cannot commit.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from windlass.errors import FatalError, RetryableError
from windlass.ledger import LedgerEntry
from windlass.storage.manifest import Manifest
from windlass.storage.objects.store import ChangedError, Store

__all__ = ["Ledger", "LedgerObject", "Start"]

_TRIES, _LONGEST_PAUSE = 60, 0.5


@dataclass(frozen=True)
class Start:
    """A start of a load that has not committed yet."""

    entry: LedgerEntry
    alone: bool = True
    """Whether no other may be at work."""

    upload: str = ""
    """What identifies the upload of a single object."""

    files: tuple[str, ...] = ()
    """The names of what it brings below a prefix."""

    by_others: bool = False
    """Whether other processes begin uploads for it, which no entry names."""

    @property
    def load_id(self) -> str:
        return self.entry.load_id

    def ends(self, other: Start) -> bool:
        """Whether another is of the same load, and so has no turn any more."""
        return other.entry.key == self.entry.key and other.load_id != self.load_id

    def waits_for(self, other: Start) -> bool:
        """Whether this one cannot be at work beside the other."""
        return other.load_id != self.load_id and (self.alone or other.alone or self.ends(other))


@dataclass(frozen=True)
class Ledger(Manifest):
    """What was loaded, which objects are ours, who is at work, and which objects are still to be removed."""

    starts: tuple[Start, ...] = ()
    retired: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    """The names of objects that have the names of more files."""

    moved: int = 0
    """How many loads were moved to where the past ones are."""

    def start(self, load_id: str) -> Start | None:
        """The start of that id, if it may still commit."""
        return next((start for start in self.starts if start.load_id == load_id), None)

    def has(self, load_id: str) -> bool:
        """Whether it has committed."""
        return any(load.load_id == load_id for load in reversed(self.loads))

    def others(self, load_id: str) -> tuple[Start, ...]:
        """The starts but this one."""
        return tuple(start for start in self.starts if start.load_id != load_id)

    def is_overtaken(self, entry: LedgerEntry) -> bool:
        """Whether a later start of the same load has begun, or has committed."""
        found = self.find(entry)
        others = any(s.entry.key == entry.key and s.load_id != entry.load_id for s in self.starts)
        return others or (found is not None and found.load_id != entry.load_id)

    def with_start(self, start: Start) -> Ledger:
        """With this one, in the place of what was known of it."""
        return replace(self, starts=(*self.others(start.load_id), start))

    def committed(self, entry: LedgerEntry) -> Ledger:
        """With the load in it, whose start is then over."""
        return replace(self, loads=self.with_load(entry).loads, starts=self.others(entry.load_id))

    def without_these(self, loads: Collection[LedgerEntry]) -> Ledger:
        """Without just these entries, which are kept elsewhere now."""
        gone = set(loads)
        left = tuple(load for load in self.loads if load not in gone)
        return replace(self, loads=left, moved=self.moved + len(self.loads) - len(left))

    def with_past(self, loads: Iterable[LedgerEntry]) -> Ledger:
        """With these in it, each in the place of an earlier one of the same load."""
        known = {load.key: load for load in self.loads}
        for load in loads:
            if load.key not in known or known[load.key].committed_at <= load.committed_at:
                known[load.key] = load
        return replace(self, loads=tuple(known.values()))

    def with_page(self, page: str, names: Collection[str]) -> Ledger:
        """With a page in the place of these names, if all of them are here still."""
        gone = set(names)
        left = tuple(name for name in self.files if name not in gone)
        if len(left) + len(gone) != len(self.files):
            return self
        return replace(self, files=left, pages=(*self.pages, page))


class LedgerObject:
    """The object that a ledger is in."""

    def __init__(self, store: Store, key: str) -> None:
        self.key = key
        self._store = store

    def read(self) -> Ledger:
        """The ledger as it is now."""
        return self._read()[0]

    def change(self, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Write what `change` makes of the ledger; it is asked again while others are first, and also where it has been
        written already, which it has to see. Returns the ledger as it is then.
        """
        for _ in self._tries():
            known, version = self._read()
            after = change(known)
            if after == known:
                return after
            try:
                self._store.put(self.key, _text(after), version)
            except ChangedError:
                continue
            return after
        raise RetryableError(f"{self._store.name}/{self.key} is written by others all the time")

    def _tries(self) -> Iterator[int]:
        yield 0
        for number in range(1, _TRIES):
            time.sleep(
                random.uniform(0, min(0.02 * number, _LONGEST_PAUSE))
            )  # so that one of several gets through
            yield number

    def _read(self) -> tuple[Ledger, str | None]:
        found = self._store.get(self.key)
        if found is None:
            return Ledger(), None
        try:
            return msgspec.json.decode(found[0], type=Ledger), found[1]
        except msgspec.DecodeError as exc:
            hint = "remove it if you are sure that nothing has to be remembered about what it belongs to"
            raise FatalError(f"{self._store.name}/{self.key} is not a manifest", hint=hint) from exc


def _text(ledger: Ledger) -> bytes:
    """A load a line, as in the manifest of a file."""
    encode = msgspec.json.encode
    loads = b",\n".join(map(encode, ledger.loads))
    names = ("files", "pages", "moved", "starts", "retired")
    others = {name: getattr(ledger, name) for name in names}
    ends = b"".join(b",\n%b: %b" % (encode(name), encode(value)) for name, value in others.items() if value)
    return b'{"loads": [\n%b\n]%b}\n' % (loads, ends)

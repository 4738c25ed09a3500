"""Where rows go: what a connector has to be for a copy to write to it.

A destination begins a load, which is a context manager: rows are written, and become visible with `commit`, together
with the entry of the ledger. Left without a commit, nothing of a load stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

from windlass.connectors.options import Mode
from windlass.connectors.rows import BadRow, Column, Counts, Meter, Rows
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.ledger import LedgerEntry

if TYPE_CHECKING:
    from windlass.connectors.scratch import Scratch
    from windlass.storage.objects import Upload

__all__ = [
    "ALL_MODES",
    "BaseDestination",
    "BaseLoad",
    "Destination",
    "FolderLoad",
    "GrowingLoad",
    "Load",
    "PartedLoad",
    "Quarantine",
    "QueryLoad",
    "SendingLoad",
    "Shortcut",
    "ShortcutRefusedError",
    "Traits",
    "WideningLoad",
]

ALL_MODES: frozenset[Mode] = frozenset(("append", "replace", "merge", "delete_insert"))


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a kind of destination can do."""

    way: str
    """What the way that the rows take is called in log, `--json` and report."""

    query_way: str | None = None
    """The same where loads are `QueryLoad`s, whatever the mode, but for `merge`."""

    modes: frozenset[Mode] = ALL_MODES
    guarantee: Literal["transactional", "idempotent"] = "transactional"
    """Rows and ledger are committed at once; or a row that is written again is still one row."""

    stores_nul: bool = True
    """Whether text with a NUL character can be stored."""


class Destination(Protocol):
    """Where rows go."""

    traits: Traits

    def occupied(self) -> Path | str | None:
        """The file of this machine that it writes, or the folder, without links; or the address of an object."""

    def begin(self, entry: LedgerEntry) -> Load:
        """Take the destination over from any earlier writer."""

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        """The ledger's entry for the same load, once none of the starts of these ids can commit any more.

        Their processes have ended. Other writers are left alone, and nothing is loaded.
        """

    def explain(self, error: RetryableError) -> WindlassError:
        """What a lost connection really was: perhaps a later writer took over."""

    def close(self) -> None: ...


class BaseDestination:
    """What a destination inherits that is not on this machine, and has nothing to add to an error."""

    def occupied(self) -> Path | str | None:
        return None

    def explain(self, error: RetryableError) -> WindlassError:
        return error

    def close(self) -> None:
        return


class Load(Protocol):
    """One load. Use as a context manager."""

    earlier: LedgerEntry | None
    """The ledger's entry for the same load, if it was committed before."""

    last_cursor: str | None
    """The cursor that the latest load of the same pipeline and task committed."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None:
        """Give up whatever was not committed, leaving nothing behind."""

    def columns(self, scratch: Scratch) -> list[Column] | None:
        """The columns that are there already; None when the destination will be made."""

    def storable(self, column: Column) -> Column:
        """The column that a new destination gets to keep the values of this one.

        Its `trust` is "declared" where somebody said the type; to return it so is to insist: a value that does not fit
        is bad, whatever its column was guessed to be.
        """

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """Bring the rows to the destination, not yet visible; update `counts` but for what was read."""

    def restart(self) -> None:
        """Give up what was written so far; `write` will be called again."""

    def commit(self, entry: LedgerEntry) -> None:
        """Make the rows visible, and the entry with them."""


class BaseLoad:
    """What a load inherits that leaves nothing by itself, into a destination that takes every type."""

    earlier: LedgerEntry | None = None
    last_cursor: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def columns(self, scratch: Scratch) -> list[Column] | None:
        return None

    def storable(self, column: Column) -> Column:
        return column


@runtime_checkable
class FolderLoad(Protocol):
    """A load that takes files which others have written."""

    def folder(self) -> Path:
        """Where they are written: a folder that is there, is empty, and that no other load has."""

    def take(self, folders: Sequence[Path]) -> int:
        """Let the files of these folders, which are below that one, be what is loaded, in their order. What else is there is
        removed. Returns their bytes.
        """

    def expect_uploads(self) -> str:
        """Of a load into a store: let others begin uploads to keys below its prefix. Returns what their names begin with."""

    def take_uploads(self, uploads: Sequence[Upload]) -> int:
        """Let these uploads be what is loaded, once it is committed. Returns their bytes."""


@runtime_checkable
class QueryLoad(Protocol):
    """A load to which rows can go without leaving the scratch database."""

    def write_query(
        self, query: str, columns: Sequence[Column], counts: Counts, scratch: Scratch, meter: Meter
    ) -> None:
        """Write what a SELECT returns; updates what was read, too."""


@runtime_checkable
class GrowingLoad(Protocol):
    """A load into a destination that can be given columns."""

    def grow(self, columns: Sequence[Column]) -> None:
        """Let the destination have these columns, too, from the commit on. Called before rows are written; a `restart`
        forgets it.
        """


@runtime_checkable
class WideningLoad(Protocol):
    """A load into a destination whose columns can get wider types."""

    def wider(self, column: Column, values: Column) -> Column | None:
        """The column of the destination with a type that holds what it has, and any of these values, exactly; None
        where it needs no other type, or no type is that.
        """

    def widen(self, columns: Sequence[Column]) -> None:
        """Let columns be these, which `wider` gave, from the commit on. Called before rows are written; a `restart`
        forgets it.
        """


@runtime_checkable
class SendingLoad(Protocol):
    """A load that cannot take back what it has sent, so it sends nothing before all rows have been looked at."""

    def send(self, counts: Counts, refuse: Callable[[BadRow, int], None]) -> None:
        """Send what `write` has gathered, and update `counts`. Called once, when the bad rows that are known by then are
        not too many; those that the other end does not take go to `refuse`, as in `Rows`.
        """


@runtime_checkable
class PartedLoad(Protocol):
    """A load whose destination can take the parts of one copy at the same time."""

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The ledger's entry for the same load as this one, which need not be the load that was begun."""


class Quarantine(Protocol):
    """Where a shortcut puts bad rows: the quarantine, as far as a connector knows it."""

    fail: bool

    def add(self, rows: Iterable[BadRow]) -> None: ...


class Shortcut(Protocol):
    """A way that only this kind of source and destination have, without the scratch database.

    A connector names a function `(source, load, reading, copy) -> Shortcut | None` for each type of destination to
    which it knows one; it gives None when not all conditions hold.
    """

    @property
    def way(self) -> str:
        """What the way is called in log, `--json` and report."""

    @property
    def reads_here(self) -> bool:
        """Whether the rows pass through this process."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The columns of the destination, but for those with a default, that the source does not have."""

    @property
    def mark(self) -> str | None:
        """After `run`: how far an incremental reading came."""

    def run(self, counts: Counts, quarantine: Quarantine, meter: Meter) -> None:
        """Bring the rows to the destination, not yet visible; update `counts`. Raises ShortcutRefusedError."""


class ShortcutRefusedError(FatalError):
    """The two ends do not take this way after all: the rows have to go the long one, from the beginning."""

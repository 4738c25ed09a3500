"""Where rows come from: what a connector has to be for a copy to read from it.

A source is opened for one reading, and gives a relation: columns, and SQL that reads the rows in the scratch database.
`relations.py` has what makes one of Arrow batches, or of records whose types nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

from windlass.connectors.ends import Interval
from windlass.connectors.rows import BadRow, Column, RowFault
from windlass.errors import WindlassError

if TYPE_CHECKING:
    from windlass.connectors.scratch import Scratch
    from windlass.storage.objects import Object, Store

__all__ = [
    "BaseSource",
    "HasContents",
    "HasObjects",
    "IntervalOf",
    "Part",
    "Reading",
    "Relation",
    "Since",
    "Source",
    "Splittable",
    "StoredObjects",
]


@dataclass(frozen=True)
class Part:
    """The rows of a source whose column `by` is in a range: from `low` on, and below `high`.

    The first part has no `low` and takes NULL, too; the last has no `high`. So every row is in exactly one
    part, whatever arrives after the bounds were found. Without a name it is the whole source.
    """

    name: str = ""
    by: str = ""
    low: str | None = None
    high: str | None = None


class IntervalOf(NamedTuple):
    """The rows whose `column` falls into a half-open interval."""

    column: str
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Since:
    """What an incremental copy asks for: the rows that are new since the last load."""

    last: str | None = None
    """What the relation of the last load gave as its mark."""

    cursor: str | None = None
    """A column that only grows; None where the source can tell without one."""

    lookback: float | str | None = None
    """How far below the highest value a row may come late: a distance of the cursor, or a duration."""

    nulls: Literal["fail", "skip", "read"] = "fail"
    """What becomes of rows without a value in the cursor."""

    rereads: bool = False
    """Rows that were read before may be read once more: the destination knows them."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What of a source a load is about."""

    named: frozenset[str] | None = None
    """The columns that `select` names; None for all. The others are not needed, but welcome in a bad row's record."""

    part: Part | None = None
    interval: IntervalOf | None = None
    """A source that cannot tell brings all rows; those outside are then bad ones."""

    since: Since | None = None
    """Only what is new since the last load."""

    target: Sequence[Column] | None = None
    """The columns of the destination; None where it will be made, and then types of values that are text matter."""

    grows: bool = False
    """The destination may get columns that only the source has, or wider types."""

    adds: bool = False
    """Whether the rows come to others that stay. Then an empty file is a day without rows, and no accident."""

    restarts: bool = False
    """Whoever reads looks for misfits among the faults, and begins again with what `recover` gives. So the columns may be
    those of a sample."""

    @property
    def infer(self) -> bool:
        """Whether the types of values that are text have to be found."""
        return self.target is None or self.grows


class Relation:
    """The rows of one reading. A connector inherits what it has nothing to say to.

    A reading that failed may be tried in another way: `recover` gives the relation for that.
    """

    name: str
    """What errors and the quarantine call it: a file, or `connection.table`."""

    mark: str | None = None
    """How far an incremental reading came, for the next one to go on from there; known with the columns."""

    rereadable = False
    """Whether the SQL can be run more than once, and gives the same rows each time."""

    has_interval = False
    """Whether the rows are those of the interval only."""

    has_since = False
    """Whether the rows are only what is new. A copy that asks for that is refused by a relation that cannot tell."""

    def columns(self) -> list[Column]:
        """The columns and their types, always the same ones; where values are text, also a guess."""
        raise NotImplementedError

    def sql(self) -> str:
        """What to write after FROM in the scratch database to read the rows, once."""
        raise NotImplementedError

    def faults(self) -> Sequence[RowFault]:
        """What can be wrong with a row as a whole, and SQL over the relation that finds it."""
        return ()

    def record(self) -> str | None:
        """SQL over the relation for the row as JSON text, where its columns alone do not make it."""
        return None

    def rejected(self) -> list[BadRow]:
        """The rows that the reader could make no sense of, once the relation was read to its end."""
        return []

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        """The rows, in order of their ordinals, with source, line and offset where there are such."""
        for row in rows:
            row.source = row.source or self.name
            yield row

    def recover(self, error: WindlassError) -> Relation | None:
        """The same rows, read in another way that may get past this error; None if there is none."""
        return None


class Source(Protocol):
    """Where rows come from."""

    name: str
    """What errors and the quarantine call it."""

    def fingerprint(self) -> dict[str, object]:
        """What identifies the input, for the ledger's digest."""

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        """Begin to read. Called once."""

    def occupied(self) -> Iterable[str]:
        """The files of this machine that it reads, without links, and the addresses of objects."""

    def close(self) -> None: ...


class BaseSource:
    """What a source inherits that is not on this machine, and has nothing to close."""

    def occupied(self) -> Iterable[str]:
        return ()

    def close(self) -> None:
        return


@runtime_checkable
class HasContents(Protocol):
    """A source whose fingerprint can change although its rows do not: files, by their times."""

    def contents(self) -> Iterator[bytes]:
        """All that its rows are made from, and the names of the files; read apart from the rows, in a thread."""


@runtime_checkable
class HasObjects(Protocol):
    """A source that is objects of a store, which the other end may be able to read by itself."""

    def objects(self) -> StoredObjects | None:
        """Which; None where they are not read just as they are."""


class StoredObjects(NamedTuple):
    """Objects of one format."""

    store: Store
    found: Sequence[Object]
    format: str


@runtime_checkable
class Splittable(Protocol):
    """A source that can be read in parts, each in a transaction of its own."""

    def split(self, by: str, parts: int) -> list[Part]:
        """Parts of about the same range of the column; the whole when it has no values to go by."""

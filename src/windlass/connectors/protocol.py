"""What a connector is to the copy engine: the contracts, and the few values that pass between them.

Rows travel as Arrow record batches or stay inside DuckDB, so a column's type is always the name of a
DuckDB type (`BIGINT`, `DECIMAL(12,2)`, `VARCHAR`, `TIMESTAMP WITH TIME ZONE`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from windlass.connectors.ends import Interval
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.ledger import LedgerEntry

if TYPE_CHECKING:
    import pyarrow as pa

    from windlass.connectors.scratch import Scratch
    from windlass.plan.model import Copy

__all__ = [
    "Aside",
    "BadRow",
    "BadRowError",
    "Column",
    "Counts",
    "Database",
    "Destination",
    "Interval",
    "Meter",
    "MisfitError",
    "Part",
    "PartedDestination",
    "Reason",
    "RowFault",
    "Rows",
    "Shortcut",
    "Source",
    "Splittable",
    "SqlResult",
    "Trust",
]

Trust: TypeAlias = Literal["declared", "known", "sampled"]

Meter: TypeAlias = Callable[[int, int], None]
"""Told the rows and bytes moved since it was last called."""


@dataclass(frozen=True)
class Column:
    """A column, by its name and DuckDB type. `native` is the type as the database itself calls it."""

    name: str
    type: str
    nullable: bool = True
    native: str = ""
    max_length: int | None = None
    pattern: str | None = None
    """Of a destination that takes text for something else: what the text must match as a whole."""

    carries: Literal["", "number", "other"] = ""
    """What text stands for where the column has another type that only text can carry: a number of any size,
    or something that has no order here."""

    finite: bool = False
    """Of a destination: dates and times, or numbers, cannot be infinite (nor NaN)."""

    forbids_nan: bool = False
    """Of a destination: numbers cannot be NaN."""

    rounds_json: bool = False
    """Of a destination: numbers within JSON are doubles there."""

    earliest: str | None = None
    """Of a destination: the first date or time that it can store, as DuckDB writes it."""

    latest: str | None = None
    """Likewise the last one."""

    required: bool = False
    """Of a destination: no default, so rows must bring a value."""

    generated: bool = False
    """Of a destination: computed there, so rows must not bring a value."""

    guess: str | None = None
    """The narrower type that the values have, where they are read as text."""

    trust: Trust = "known"
    """How sure the guess is: `declared` (a value that does not fit is bad), `known` (every value was
    looked at), or only `sampled` (a value that does not fit changes the guess, not the row)."""


class Reason(StrEnum):
    """Why a row is bad. Documented in docs/reference/quarantine.md."""

    RAGGED_ROW = "ragged_row"
    MALFORMED_CSV = "malformed_csv"
    UNTERMINATED_QUOTE = "unterminated_quote"
    WRONG_ENCODING = "wrong_encoding"
    LINE_TOO_LONG = "line_too_long"
    MALFORMED_JSON = "malformed_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_NAME = "duplicate_name"
    TYPE_MISMATCH = "type_mismatch"
    OUT_OF_RANGE = "out_of_range"
    LOSES_PRECISION = "loses_precision"
    NUL_IN_TEXT = "nul_in_text"
    TOO_LONG = "too_long"
    IS_NULL = "is_null"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    NOT_ACCEPTED = "not_accepted"
    PATTERN_MISMATCH = "pattern_mismatch"
    JSON_SCHEMA = "json_schema"
    DUPLICATE_KEY = "duplicate_key"
    OUTSIDE_INTERVAL = "outside_interval"
    UNIQUE_VIOLATION = "unique_violation"
    FOREIGN_KEY_VIOLATION = "foreign_key_violation"
    CHECK_VIOLATION = "check_violation"
    EXCLUSION_VIOLATION = "exclusion_violation"
    REFUSED = "refused_by_destination"


@dataclass
class BadRow:
    """A row that cannot be loaded, with everything somebody needs to mend it."""

    reason: Reason
    message: str
    column: str | None = None
    value: str | None = None
    record: Mapping[str, Any] | None = None
    raw: str | None = None
    columns: list[str] | None = None
    """With `raw`: the columns that the row should have had."""

    source: str = ""
    line: int | None = None
    offset: int | None = None
    ordinal: int | None = field(default=None, repr=False)
    """Which of the rows that the reader understood it is, counted from 0 in their order."""

    def where(self) -> str:
        place = self.source
        if self.line is not None:
            place += f":{self.line}"
        elif self.ordinal is not None:
            place += f" row {self.ordinal + 1}"
        return place

    def __str__(self) -> str:
        return f"{self.where()}: {self.message} ({self.reason})"


class BadRowError(FatalError):
    """Rows do not fit, and `on_bad_row` is `fail`, or there are more than `max_bad_rows`."""

    def __init__(self, message: str, rows: Sequence[BadRow], *, hint: str | None = None) -> None:
        shown = "".join(f"\n  {row}" for row in rows[:5])
        super().__init__(message + shown, hint=hint)
        self.rows = tuple(rows)


@dataclass
class Counts:
    """What a load did. `inserted`, `updated` and `unchanged` are of a merge."""

    read: int = 0
    written: int = 0
    quarantined: int = 0
    bytes: int = 0
    inserted: int | None = None
    updated: int | None = None
    unchanged: int | None = None

    def reset(self) -> None:
        """Forget everything: the load begins again."""
        self.__dict__.update(Counts().__dict__)


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


class Source(Protocol):
    """Where rows come from."""

    name: str
    """What errors and the quarantine call it: a file, or `connection.table`."""

    rereadable: bool
    """Whether the relation can be read more than once and gives the same rows each time."""

    filters_interval: bool
    """Whether `slice` works; what cannot be sliced must bring only rows of the interval."""

    cursor: str | None
    """After `advance`: the highest value of the cursor that is read, to go on from the next time."""

    def occupied(self) -> Iterable[str]:
        """The files of this machine that it reads, without links."""

    def fingerprint(self) -> dict[str, object]:
        """What identifies the input, for the ledger's digest."""

    def advance(self, cursor: str, last: str | None, scratch: Scratch | None) -> None:
        """Keep only rows whose `cursor` column is past `last`, and set `self.cursor`.

        Never goes past what an open transaction may still commit.
        """

    def slice(self, column: str, interval: Interval) -> None:
        """Keep only rows whose `column` falls into the half-open interval."""

    def columns(self, scratch: Scratch, *, infer: bool) -> list[Column]:
        """The columns and their types; with `infer`, also a guess where values are text."""

    def relation(self, scratch: Scratch) -> str:
        """What to write after FROM in the scratch database to read the rows, once."""

    def faults(self) -> Sequence[RowFault]:
        """What can be wrong with a row as a whole, and SQL over the relation that finds it."""

    def record(self) -> str | None:
        """SQL over the relation for the row as JSON text, where its columns alone do not make it."""

    def rejected(self, scratch: Scratch) -> list[BadRow]:
        """The rows that the reader could make no sense of, once the relation was read to its end."""

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        """The rows, in order of their ordinals, with source, line and offset where there are such."""

    def recover(self, error: WindlassError, scratch: Scratch) -> bool:
        """Whether reading once more, in another way, may get past this error."""

    def close(self) -> None: ...


@runtime_checkable
class Splittable(Protocol):
    """A source that can be read in parts, each in a transaction of its own."""

    def split(self, by: str, parts: int) -> list[Part]:
        """Parts of about the same range of the column; the whole when it has no values to go by."""

    def take_part(self, part: Part) -> None:
        """Keep only the rows of that part."""


@runtime_checkable
class PartedDestination(Protocol):
    """A destination into which the parts of one load can be written at the same time."""

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The ledger's entry for the same load as this one, which need not be the load that was begun."""


class RowFault(NamedTuple):
    """Something that can be wrong with a whole row: SQL that is true then, and what to say of it."""

    test: str
    reason: Reason
    message: str


class MisfitError(WindlassError):
    """A value did not fit the type that was inferred for its column from a sample."""


class Rows(Protocol):
    """The rows on their way: cast, checked, and split into good and bad."""

    columns: list[Column]

    sets_aside: bool
    """Whether `refuse` sets a row aside; otherwise it ends the load."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The good rows; the bad ones go to the quarantine as they come by."""

    def refuse(self, row: BadRow, position: int) -> None:
        """Set a row aside that the destination refused: the one that came at that position, from 0."""


class Aside(Protocol):
    """Where a shortcut puts bad rows: the quarantine, as far as a connector knows it."""

    fail: bool

    def add(self, rows: Iterable[BadRow], source: Source) -> None: ...


class Shortcut(Protocol):
    """A way that only this kind of source and destination have, without the scratch database."""

    @property
    def name(self) -> str:
        """What the way is called in log, `--json` and report."""

    def run(self, counts: Counts, aside: Aside, meter: Meter) -> None:
        """Bring the rows to the destination, not yet visible; update `counts`."""


class Destination(Protocol):
    """Where rows go, in one transaction: visible whole after `commit`, else not at all."""

    takes_queries: bool
    """Whether `write_query` works."""

    forbids_nul: bool
    """Whether text with a NUL character cannot be stored."""

    def occupied(self) -> Path | None:
        """The file of this machine that it writes, or the folder, without links."""

    def begin(self, entry: LedgerEntry) -> LedgerEntry | None:
        """Take the destination over from any earlier writer. Returns the ledger's entry for the same
        load, if it was committed before."""

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        """The ledger's entry for the same load, once none of the starts of these ids can commit any more.

        Their processes have ended. Other writers are left alone, and nothing is loaded.
        """

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        """The cursor that the latest load of the same pipeline and task committed."""

    def shortcut(self, source: Source, copy: Copy) -> Shortcut | None:
        """A shorter path for this source, if all its conditions hold."""

    def columns(self, scratch: Scratch) -> list[Column] | None:
        """The columns that are there already; None when the destination will be made."""

    def storable(self, column: Column) -> Column:
        """The column that a new destination gets to keep the values of this one."""

    def path(self, *, query: bool) -> str:
        """What the way that the rows take is called in log, `--json` and report."""

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """Bring the rows to the destination, not yet visible; update `counts` but for what was read."""

    def write_query(
        self, query: str, columns: Sequence[Column], counts: Counts, scratch: Scratch, meter: Meter
    ) -> None:
        """The same, all within the scratch database; updates what was read, too."""

    def restart(self) -> None:
        """Give up what was written so far; `write` will be called again."""

    def commit(self, entry: LedgerEntry) -> None:
        """Make the rows visible, and the entry with them."""

    def explain(self, error: RetryableError) -> WindlassError:
        """What a lost connection really was: perhaps a later writer took over."""

    def close(self) -> None:
        """Give up whatever was not committed, leaving nothing behind."""


@dataclass(frozen=True)
class SqlResult:
    """What SQL returned: the rows of its last SELECT, and how many rows its statements changed."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    changed: int | None = None


class Database(Protocol):
    """A database that is connected: runs SQL for `sql` and `check` tasks and for init files."""

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        """Run one or more statements. Raises FatalError with the place in the script."""

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        """Run one SELECT."""

    def tables(self) -> list[str]:
        """The names of the tables, for "did you mean"."""

    def close(self) -> None: ...

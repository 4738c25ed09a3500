"""Rows on their way from one end of a copy to the other, and what can be wrong with them.

They travel as Arrow record batches or stay inside DuckDB, so a column's type is always the name of a
DuckDB type (`BIGINT`, `DECIMAL(12,2)`, `VARCHAR`, `TIMESTAMP WITH TIME ZONE`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from windlass.errors import Code, FatalError, WindlassError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "BadRow",
    "BadRowError",
    "Column",
    "Counts",
    "Meter",
    "MisfitError",
    "Reason",
    "RowFault",
    "Rows",
    "Trust",
    "is_decimal",
    "is_nested",
    "record_of",
]

Trust: TypeAlias = Literal["declared", "known", "sampled", "tested"]

Meter: TypeAlias = Callable[[int, int], None]
"""Told the rows and bytes moved since it was last called."""


def is_nested(kind: str) -> bool:
    """Whether values of a DuckDB type consist of others: those that are JSON as text."""
    return kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]")


def is_decimal(kind: str) -> bool:
    """Whether values of a DuckDB type are numbers in decimal digits, and not lists of such."""
    return kind.startswith("DECIMAL") and not is_nested(kind)


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

    in_utc: bool = False
    """Of a destination: its times have no zone, and are those of UTC, so one with a zone can be kept."""

    milliseconds: bool = False
    """Of a destination: its times have milliseconds, and nothing finer."""

    loses: str | None = None
    """Of a destination: SQL that is true for a value `{v}` of the type which it would keep as another one."""

    required: bool = False
    """Of a destination: no default, so rows must bring a value."""

    has_default: bool = False
    """Of a destination: rows that bring no value get one."""

    generated: bool = False
    """Of a destination: computed there, so rows must not bring a value."""

    guess: str | None = None
    """The narrower type that the values have, where they are read as text."""

    trust: Trust = "known"
    """How sure the guess is: `declared` (a value that does not fit is bad), `known` (every value was
    looked at), only `sampled` (a value that does not fit changes the guess, not the row), or `tested` (the same, and the
    relation has a fault of its own for that)."""


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
    CELL_ERROR = "cell_error"
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
    """A row that cannot be loaded, with everything somebody needs to fix it."""

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

    code = Code.BAD_ROW

    def __init__(
        self, message: str, rows: Sequence[BadRow], *, hint: str | None = None, code: Code | None = None
    ) -> None:
        shown = "".join(f"\n  {row}" for row in rows[:5])
        super().__init__(message + shown, hint=hint, code=code)
        self.rows = tuple(rows)


def record_of(text: str) -> Any:
    """The record that a JSON text says. A number that JSON has not, or a double has not exactly, is text as it stands.

    >>> record_of('{"a": 1.50, "b": 12345678901234567890.5, "c": NaN}')
    {'a': 1.5, 'b': '12345678901234567890.5', 'c': 'NaN'}
    """
    return json.loads(text, parse_float=_number, parse_constant=str)


def _number(text: str) -> float | str:
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else text


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


class RowFault(NamedTuple):
    """Something that can be wrong with a whole row: SQL that is true then, and what to say of it."""

    test: str
    reason: Reason
    message: str
    is_misfit: bool = False
    """Nothing is wrong with the row: it speaks against what a sample showed, and whoever reads begins again."""


class MisfitError(WindlassError):
    """A value did not fit the type that was inferred for its column from a sample."""


class Rows(Protocol):
    """The rows on their way: cast, checked, and split into good and bad."""

    columns: list[Column]

    quarantines: bool
    """Whether `refuse` quarantines a row; otherwise it ends the load."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The good rows; the bad ones go to the quarantine as they come by."""

    def refuse(self, row: BadRow, position: int) -> None:
        """Quarantine a row that the destination refused: the one that came at that position, from 0."""

"""A table or query of a server, read by one SELECT whose rows come as Arrow batches.

For servers of which nothing more is asked. An interval and a cursor go along as bounds, which may let more rows through than
are wanted; which of them are new is found in the scratch database, where they are kept meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from windlass.connectors.cursors import Mark, find_new
from windlass.connectors.duckdb_cursor import DuckdbCursor
from windlass.connectors.relations import StreamRelation
from windlass.connectors.rows import Column
from windlass.connectors.rules import INTEGERS
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading, Since
from windlass.connectors.sql.late_rows import require_lookback
from windlass.errors import Code, FatalError, did_you_mean
from windlass.units import parse_duration

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Bound",
    "Edge",
    "Narrowing",
    "SelectRelation",
    "Selectable",
    "Selected",
    "as_condition",
    "bounds_of",
    "require_distinct",
]

_ROUNDED = timedelta(seconds=1)  # a server's times may be finer than those of the scratch database
_ANY_NUMBER = "DECIMAL(38,9)"  # as what text that carries numbers is compared: rows that come to the same are told apart


@dataclass(frozen=True)
class Selected:
    """One column of the SELECT."""

    column: Column
    sql: str
    """What stands for it after SELECT."""

    arrow: pa.DataType
    """The type of its arrays."""

    is_time: bool = False
    """The server compares it with moments."""

    refusal: str | None = None
    """Why it cannot be read, and what to do instead: its values have no form that others know."""

    @property
    def is_number(self) -> bool:
        """The server compares it with numbers in decimal digits, and none of them is rounded."""
        kind = self.column.guess or self.column.type
        return self.column.carries == "number" or kind.startswith("DECIMAL") or kind in INTEGERS


Edge: TypeAlias = datetime | Decimal
"""Where a range begins or ends; a moment is in UTC."""


@dataclass(frozen=True)
class Bound:
    """Rows whose `column` is at least `low` and below `high`; `or_null`: also those without a value."""

    column: Selected
    low: Edge
    high: datetime | None = None
    or_null: bool = False


def as_condition(bound: Bound, column: str, literal: Callable[[Edge], str]) -> str:
    """The bound in SQL, where the server calls the column so and writes a value so."""
    said = f"{column} >= {literal(bound.low)}"
    if bound.high is not None:
        said += f" AND {column} < {literal(bound.high)}"
    return f"({said} OR {column} IS NULL)" if bound.or_null else f"({said})"


class Selectable(Protocol):
    """A table or query that is open."""

    name: str
    """What errors and the quarantine call it."""

    server: str
    """What the system is called."""

    columns: Sequence[Selected]

    def batches(self, wanted: Sequence[Selected], bounds: Sequence[Bound]) -> Iterator[pa.RecordBatch]:
        """Run the SELECT. Moments of bounds are in UTC."""


@runtime_checkable
class Narrowing(Protocol):
    """One whose columns may have narrower types than the server says."""

    def narrowed(self, wanted: Sequence[Selected], bounds: Sequence[Bound]) -> list[Selected]:
        """The columns with what all values within the bounds are, as a guess."""


class SelectRelation(StreamRelation):
    """The rows of one reading."""

    has_since = True

    def __init__(self, selectable: Selectable, reading: Reading, scratch: Scratch) -> None:
        super().__init__(selectable.name, scratch)
        self._selectable = selectable
        self._wanted = _readable(selectable, reading.named)
        self._bounds, self.has_interval = bounds_of(reading, self._wanted, self.name, selectable.server)
        self._kept: str | None = None
        if reading.infer and isinstance(selectable, Narrowing):
            self._wanted = selectable.narrowed(self._wanted, self._bounds)
        if reading.since is not None:
            self._keep(reading.since)

    def columns(self) -> list[Column]:
        return [each.column for each in self._wanted]

    def sql(self) -> str:
        return self._kept or super().sql()

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow as pa

        schema = pa.schema([(each.column.name, each.arrow) for each in self._wanted])
        return schema, self._selectable.batches(self._wanted, self._bounds)

    def _keep(self, since: Since) -> None:
        columns = [
            replace(each.column, type=_ANY_NUMBER)
            if each.column.name == since.cursor and each.column.type == "VARCHAR" and each.is_number
            else each.column
            for each in self._wanted
        ]
        table = self._scratch.new_name()
        self._scratch.rows(f"CREATE TABLE {table} AS SELECT * FROM {super().sql()}")
        cursor = DuckdbCursor(self._scratch, table, columns, str(since.cursor), self.name)
        condition, self.mark = find_new(cursor, table, since, self.name)
        self._kept, self.rereadable = f"(SELECT * FROM {table} WHERE {condition or 'true'})", True


def bounds_of(
    reading: Reading, columns: Sequence[Selected], name: str, server: str
) -> tuple[list[Bound], bool]:
    """What a reading asks for as bounds, and whether its interval is among them.

    Raises FatalError for a column that is not there, and for a cursor without `lookback`.
    """
    bounds, has_interval = [], False
    if reading.interval is not None:
        column = _required(reading.interval.column, columns, name)
        has_interval = column.is_time  # else all rows come, and are looked at
        if has_interval:
            bounds.append(Bound(column, *reading.interval.interval))
    if reading.since is not None:
        column = _required(require_lookback(reading.since, name, server), columns, name)
        bound = _low_bound(column, reading.since)
        bounds += [bound] if bound is not None else []
    return bounds, has_interval


def _required(name: str, columns: Sequence[Selected], source: str) -> Selected:
    found = next((each for each in columns if each.column.name == name), None)
    if found is None:
        hint = did_you_mean(name, [each.column.name for each in columns])
        raise FatalError(f"{source} has no column {name!r}", hint=hint, code=Code.NO_COLUMN)
    return found


def _low_bound(chosen: Selected, since: Since) -> Bound | None:
    """All rows that matter are in it: those past the last load, those that it may have missed, and those without a value.

    None for all rows: there was no load, or what it came to does not go with the column.
    """
    last = Mark.from_json(since.last)
    if last is None or last.cursor != chosen.column.name:
        return None
    is_duration = isinstance(since.lookback, str)
    or_null = since.nulls != "skip"
    if chosen.is_number and last.family == "number" and not is_duration:
        low = Decimal(last.highest) - Decimal(str(since.lookback))
        return Bound(chosen, low, or_null=or_null)
    moment = _moment(last.highest) if chosen.is_time and last.family == "time" and is_duration else None
    if moment is None:
        return None
    return Bound(chosen, _before(moment, parse_duration(str(since.lookback))), or_null=or_null)


def require_distinct(names: Sequence[str], source: str) -> None:
    """Raise FatalError where two columns have one name, or one has none: nobody could say which is meant."""
    for name, count in Counter(names).items():
        if count > 1 or not name:
            what = f"{count} columns are called {name!r}" if name else "a column has no name"
            raise FatalError(
                f"{source}: {what}", hint="give each a name of its own: `SELECT a.id AS a_id, …`"
            )


def _readable(selectable: Selectable, named: frozenset[str] | None) -> list[Selected]:
    """The columns that are read. One that cannot be is left out where `select` does not name it."""
    for each in selectable.columns:
        if each.refusal is not None and (named is None or each.column.name in named):
            message = f"{selectable.name}: column {each.column.name!r} is of the type {each.column.native}"
            raise FatalError(f"{message}, whose values others do not know", hint=each.refusal)
    return [each for each in selectable.columns if each.refusal is None]


def _moment(text: str) -> datetime | None:
    """A moment as DuckDB writes it; None for one that Python has not."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _before(moment: datetime, seconds: float) -> datetime:
    first = datetime.min.replace(tzinfo=UTC)
    try:
        return max(first, moment - timedelta(seconds=seconds) - _ROUNDED)
    except OverflowError:
        return first

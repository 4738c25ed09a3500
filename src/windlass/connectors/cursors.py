"""Which rows of a source are new since the last load, by a column that only grows: the cursor.

For sources that have no better way to tell. A load reads the rows past the highest value of the last one. Two kinds of
rows could be lost that way: another row with that very value (a tie), and one that comes late with a lower value. So a
load goes back to the highest value itself, or by `lookback` further, and leaves out what it has read before: a merge
needs no help in that, and for an append the ledger keeps a digest of each row that will be met again.

What a cursor cannot speak of is refused, or named in `nulls`: rows without a value, values that nothing can be past
(infinity, NaN), text of several lengths ('9' is past '10').
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.connectors.source import Since
from windlass.errors import Code, FatalError, did_you_mean
from windlass.units import counted, parse_duration

__all__ = [
    "CursorSql",
    "DuckdbCursor",
    "Family",
    "Found",
    "Mark",
    "find_new",
    "lookback_of",
    "required_cursor",
]

Family: TypeAlias = Literal["number", "time", "text", "other"]

MOST_REMEMBERED = 100_000
"""Rows whose digests the ledger keeps for an append, a megabyte of them."""

_ENDLESS = {"infinity", "-infinity", "inf", "-inf", "nan", "-nan"}


class CursorSql(Protocol):
    """How the SQL of a source speaks of its cursor. `rows` of a method is what stands after FROM."""

    value: str
    """SQL for the cursor of a row."""

    family: Family

    compares_text: bool
    """Whether values are compared as text, character by character."""

    columns: list[tuple[str, str]]
    """Names and types of what `digest` is made of."""

    digest: str
    """SQL for a text that says everything of a row, in 16 characters."""

    def rows(self, sql: str) -> list[Any]:
        """Run it."""

    def highest(self, rows: str) -> str | None:
        """The highest value, as text that `constant` takes."""

    def constant(self, text: str) -> str:
        """SQL for a value."""

    def not_before(self, text: str, lookback: Decimal) -> str:
        """SQL: the cursor is at most so far below that value; seconds for a time."""

    def is_one_of(self, digests: Iterable[str]) -> str:
        """SQL: the digest of the row is one of these."""


@dataclass(frozen=True)
class Mark:
    """How far a load came: what the ledger keeps of it, as JSON."""

    cursor: str
    highest: str
    family: Family
    columns: Sequence[Sequence[str]] = ()
    seen: Sequence[str] = field(default=(), repr=False)
    """Digests of the rows that the next load will meet again, in an append; one that is twice there is here twice."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> Mark | None:
        """What `to_json` wrote. Raises FatalError for what another kind of source wrote."""
        if text is None:
            return None
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            message = "the last load told new rows in another way"
            hint = "give the task another name to begin anew"
            raise FatalError(message, hint=hint, code=Code.CURSOR) from None


class Found(NamedTuple):
    """What a load reads."""

    condition: str | None
    """SQL for the rows that are new; None for all."""

    mark: str | None
    """What the ledger keeps for the next load."""


def required_cursor(since: Since, name: str) -> str:
    """The cursor's name. Raises FatalError when there is none."""
    if since.cursor is None:
        hint = "name a column that only grows: `incremental: {cursor: updated_at}`"
        message = f"{name} cannot tell which of its rows are new without a cursor"
        raise FatalError(message, hint=hint, code=Code.CURSOR)
    return since.cursor


def find_new(sql: CursorSql, rows: str, since: Since, name: str) -> Found:
    """What is new of `rows`, which can be read again and stay the same. `name` is what errors call them.

    Raises FatalError when the cursor cannot tell.
    """
    assert since.cursor is not None
    last = Mark.from_json(since.last)
    if last is not None:
        _refuse_another_cursor(last, sql, since.cursor, name)
    _refuse_what_is_not_ordered(sql, rows, since, name)
    lookback = lookback_of(sql, since, name)
    highest = _highest(sql, rows, last, since, name)
    if highest is None:
        return Found(None if since.nulls == "read" else f"{sql.value} IS NOT NULL", None)
    mark = Mark(since.cursor, highest, sql.family)
    if not since.rereads:
        seen = _met_again(sql, rows, sql.not_before(highest, lookback), since, name)
        mark = Mark(since.cursor, highest, sql.family, [list(column) for column in sql.columns], seen)
    condition = _condition(sql, rows, last, lookback, since, name)
    return Found(condition, mark.to_json())


def _condition(
    sql: CursorSql, rows: str, last: Mark | None, lookback: Decimal, since: Since, name: str
) -> str | None:
    without = f" OR {sql.value} IS NULL" if since.nulls == "read" else ""
    if last is None:
        return None if without else f"{sql.value} IS NOT NULL"
    again = sql.not_before(last.highest, lookback)
    past = f"{sql.value} > {sql.constant(last.highest)}"
    if since.rereads:
        return f"({past} OR {again}{without})"
    _refuse_more_of_the_same(sql, rows, f"{again} AND NOT ({past})", last, name)
    return f"({past} OR ({again} AND NOT {sql.is_one_of(last.seen)}){without})"


def _highest(sql: CursorSql, rows: str, last: Mark | None, since: Since, name: str) -> str | None:
    """The highest value that there is, or was."""
    if last is not None:
        rows = f"(SELECT * FROM {rows} WHERE {sql.value} > {sql.constant(last.highest)}) AS windlass_rows"
    found = sql.highest(rows)
    if found is not None and found.lower() in _ENDLESS:
        hint = "leave such rows out by a `query`, or choose another column"
        message = f"{name}: the cursor {since.cursor!r} is {found} somewhere, and nothing is past that"
        raise FatalError(message, hint=hint, code=Code.CURSOR)
    return found if found is not None or last is None else last.highest


def _met_again(sql: CursorSql, rows: str, condition: str, since: Since, name: str) -> list[str]:
    """Digests of the rows that the next load will meet again."""
    found = sql.rows(f"SELECT {sql.digest} FROM {rows} WHERE {condition} LIMIT {MOST_REMEMBERED + 1}")
    if len(found) > MOST_REMEMBERED:
        where = (
            "within `lookback`" if since.lookback is not None else f"at the highest value of {since.cursor!r}"
        )
        hint = "use `mode: merge`, a finer cursor, or a shorter `lookback`"
        message = f"{name} has more than {MOST_REMEMBERED:,} rows {where}: too many to tell new ones from"
        raise FatalError(message, hint=hint, code=Code.CURSOR)
    return sorted(str(row[0]) for row in found)


# --- what is refused ------------------------------------------------------------------------------


def _refuse_another_cursor(last: Mark, sql: CursorSql, cursor: str, name: str) -> None:
    hint = "give the task another name to begin anew"
    if last.cursor != cursor:
        message = f"{name}: the last load went by the cursor {last.cursor!r}, and this one goes by {cursor!r}"
        raise FatalError(message, hint=hint, code=Code.CURSOR)
    if last.family != sql.family:
        message = f"{name}: the cursor {cursor!r} had values of another kind ({last.family}) at the last load"
        raise FatalError(message, hint=hint, code=Code.CURSOR)
    if last.seen and [list(column) for column in last.columns] != [list(column) for column in sql.columns]:
        hint = "use `mode: merge`, or give the task another name to begin anew"
        raise FatalError(
            f"{name}: its columns have changed since the last load, and so rows at {cursor} = {last.highest} that were "
            "loaded cannot be told from new ones",
            hint=hint,
            code=Code.CURSOR,
        )


def _refuse_what_is_not_ordered(sql: CursorSql, rows: str, since: Since, name: str) -> None:
    if since.nulls == "fail":
        without = sql.rows(f"SELECT count(*) FROM {rows} WHERE {sql.value} IS NULL")[0][0]
        if without:
            hint = (
                "`nulls: skip` leaves such rows out; with `mode: merge`, `nulls: read` reads them each time"
            )
            message = f"{name}: the cursor {since.cursor!r} has no value in {counted(without, 'row')}"
            raise FatalError(message, hint=hint, code=Code.CURSOR)
    if not sql.compares_text:
        return
    shortest, longest = sql.rows(f"SELECT min(length({sql.value})), max(length({sql.value})) FROM {rows}")[0]
    if shortest != longest:
        hint = "cast it in a `query`, or choose a column of numbers or times"
        raise FatalError(
            f"{name}: the cursor {since.cursor!r} is text of {shortest} to {longest} characters, which does not grow "
            "as numbers and times do ('9' is past '10')",
            hint=hint,
            code=Code.CURSOR,
        )


def _refuse_more_of_the_same(sql: CursorSql, rows: str, condition: str, last: Mark, name: str) -> None:
    """Of rows that are the same in every column, nobody could say which were loaded."""
    seen = Counter(last.seen)
    now = Counter(str(row[0]) for row in sql.rows(f"SELECT {sql.digest} FROM {rows} WHERE {condition}"))
    more = sum(now[digest] - count for digest, count in seen.items() if now[digest] > count)
    if more:
        hint = "give them a key, or use `mode: merge`"
        raise FatalError(
            f"{name}: {counted(more, 'row')} came at {last.cursor} = {last.highest} the same in every column as what was "
            "loaded, and cannot be told from it",
            hint=hint,
            code=Code.CURSOR,
        )


def lookback_of(sql: CursorSql, since: Since, name: str) -> Decimal:
    """The distance, in the cursor's numbers or in seconds. Raises FatalError when the cursor knows no distance."""
    if since.lookback is None:
        return Decimal(0)
    is_time = isinstance(since.lookback, str)
    if sql.family != ("time" if is_time else "number"):
        known = {"time": "expected a duration such as 1h", "number": "expected a number"}
        hint = known.get(sql.family, "choose a cursor of numbers or times, or leave `lookback` out")
        message = f"{name}: `lookback: {since.lookback}` does not fit the cursor {since.cursor!r}"
        raise FatalError(message, hint=hint, code=Code.CURSOR)
    return Decimal(str(parse_duration(str(since.lookback)) if is_time else since.lookback))


# --- DuckDB -------------------------------------------------------------------------------------------


class DuckdbCursor:
    """The cursor of rows that the scratch database reads. Implements `CursorSql`.

    Text that is a time in each row is compared as a time.
    """

    def __init__(
        self, scratch: Scratch, rows: str, columns: Sequence[Column], cursor: str, name: str
    ) -> None:
        types = {column.name: column.guess or column.type for column in columns}
        if cursor not in types:
            hint = did_you_mean(cursor, types)
            raise FatalError(f"{name} has no column {cursor!r}", hint=hint, code=Code.NO_COLUMN)
        self._scratch, self._type = scratch, types[cursor]
        if self._type == "VARCHAR" and self._has_only_times(rows, identifier(cursor)):
            self._type = "TIMESTAMP WITH TIME ZONE"
        self.value = f"TRY_CAST({identifier(cursor)} AS {self._type})"
        self.family = _family(self._type)
        self.compares_text = self.family == "text"
        self.columns = [(column.name, column.type) for column in columns]
        texts = (f"CAST({identifier(column.name)} AS VARCHAR)" for column in columns)
        parts = (f"coalesce(length({text}) || ':' || {text}, '-')" for text in texts)
        self.digest = f"left(md5({' || '.join(parts)}), 16)"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._scratch.rows(sql)

    def highest(self, rows: str) -> str | None:
        found: str | None = self._scratch.value(f"SELECT CAST(max({self.value}) AS VARCHAR) FROM {rows}")
        return found

    def constant(self, text: str) -> str:
        return f"CAST({literal(text)} AS {self._type})"

    def not_before(self, text: str, lookback: Decimal) -> str:
        if not lookback:
            return f"{self.value} >= {self.constant(text)}"
        if self.family == "number":
            return f"{self.value} >= {Decimal(text) - lookback:f}"
        return f"{self.value} >= {self.constant(text)} - INTERVAL '{lookback * 1000:f} milliseconds'"

    def _has_only_times(self, rows: str, column: str) -> bool:
        other = f"{column} IS NOT NULL AND TRY_CAST({column} AS TIMESTAMPTZ) IS NULL"
        return not self.rows(f"SELECT 1 FROM {rows} WHERE {other} LIMIT 1")

    def is_one_of(self, digests: Iterable[str]) -> str:
        import pyarrow as pa

        table = self._scratch.register_table(pa.table({"digest": pa.array(digests, pa.string())}))
        return f"{self.digest} IN (SELECT digest FROM {table})"


def _family(kind: str) -> Family:
    """What a type of DuckDB is as a cursor."""
    if kind.startswith(("DATE", "TIMESTAMP")):
        return "time"
    if kind == "VARCHAR":
        return "text"
    is_number = (
        kind.startswith("DECIMAL") or kind.endswith("INT") or kind in ("INTEGER", "DOUBLE", "FLOAT", "REAL")
    )
    return "number" if is_number else "other"

"""Which rows of a source are new since the last load, by a column that only grows: the cursor.

For sources that have no better way to tell. A load reads the rows past the highest value of the last one. Two kinds of
rows could be lost that way: another row with that very value (a tie), and one that comes late with a lower value. So a
load goes back to the highest value itself, or by `lookback` further, and leaves out what it has read before: a merge
needs no help in that, and for an append the ledger keeps a digest of each row that may be met again. That may be one
that is not there now: a partition is detached and comes back, a file leaves its folder for a while.

What a cursor cannot speak of is refused, or named in `nulls`: rows without a value, values that nothing can be past
(infinity, NaN), text of several lengths ('9' is past '10').
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from windlass.connectors.scratch import identifier
from windlass.connectors.source import Since
from windlass.errors import Code, FatalError
from windlass.units import counted, parse_duration

__all__ = [
    "CursorSql",
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

    gone: Sequence[tuple[str, Sequence[str]]] = field(default=(), repr=False)
    """Digests of rows that are not there any more and may come back, each with a value that they are not past."""

    floors: Sequence[tuple[str, str]] = field(default=(), repr=False)
    """Of rows that lie below one of these, a value less a lookback, nobody knows any more whether they were loaded."""

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
        _refuse_another_cursor(last, since.cursor, name)
    _refuse_rows_without_a_value(sql, rows, since, name)
    if not sql.rows(f"SELECT 1 FROM {rows} WHERE {sql.value} IS NOT NULL LIMIT 1"):
        return Found(None if since.nulls == "read" else f"{sql.value} IS NOT NULL", since.last)
    if last is not None:
        _refuse_other_values(last, sql, since, name)
    _refuse_what_is_not_ordered(sql, rows, since, name)
    lookback = lookback_of(sql, since, name)
    highest = _highest(sql, rows, last, since, name)
    mark = Mark(since.cursor, highest, sql.family)
    if not since.rereads:
        mark = _remembering(mark, sql, rows, last, lookback, since, name)
    return Found(_condition(sql, last, lookback, since), mark.to_json())


def _condition(sql: CursorSql, last: Mark | None, lookback: Decimal, since: Since) -> str | None:
    without = f" OR {sql.value} IS NULL" if since.nulls == "read" else ""
    if last is None:
        return None if without else f"{sql.value} IS NOT NULL"
    again, past = sql.not_before(last.highest, lookback), _past(sql, last)
    if not since.rereads:
        again = f"{_again(sql, last, lookback)} AND NOT {sql.is_one_of(_loaded(last))}"
    return f"({past} OR ({again}){without})"


def _loaded(last: Mark) -> list[str]:
    """Digests of the rows that were loaded, whether they were still there at the last load or not."""
    return [*last.seen, *(digest for _, digests in last.gone for digest in digests)]


def _past(sql: CursorSql, last: Mark) -> str:
    return f"{sql.value} > {sql.constant(last.highest)}"


def _again(sql: CursorSql, last: Mark, lookback: Decimal) -> str:
    """SQL for the rows that an append looks at once more. A longer lookback than before does not bring back old rows."""
    bounds = {(last.highest, lookback), *((value, Decimal(distance)) for value, distance in last.floors)}
    return " AND ".join(sql.not_before(*bound) for bound in sorted(bounds))


def _highest(sql: CursorSql, rows: str, last: Mark | None, since: Since, name: str) -> str:
    """The highest value that there is, or was. Some row has one."""
    if last is not None:
        rows = f"(SELECT * FROM {rows} WHERE {sql.value} > {sql.constant(last.highest)}) AS windlass_rows"
    found = sql.highest(rows)
    if found is not None and found.lower() in _ENDLESS:
        hint = "leave such rows out by a `query`, or choose another column"
        message = f"{name}: the cursor {since.cursor!r} is {found} somewhere, and nothing is past that"
        raise FatalError(message, hint=hint, code=Code.CURSOR)
    if found is None:
        assert last is not None
        return last.highest
    return found


# --- what an append remembers ----------------------------------------------------------------------


def _remembering(
    mark: Mark, sql: CursorSql, rows: str, last: Mark | None, lookback: Decimal, since: Since, name: str
) -> Mark:
    """The mark, with all that tells rows which were loaded from new ones."""
    seen = _digests(sql, rows, sql.not_before(mark.highest, lookback), MOST_REMEMBERED + 1)
    gone = _gone(mark, sql, rows, last, lookback, name) if last is not None else []
    _refuse_too_many(len(seen) + sum(len(digests) for _, digests in gone), since, name)
    return replace(
        mark,
        columns=[list(column) for column in sql.columns],
        seen=sorted(seen),
        gone=gone,
        floors=_floors(mark, last, lookback),
    )


def _digests(sql: CursorSql, rows: str, condition: str, most: int | None = None) -> list[str]:
    limit = f" LIMIT {most}" if most is not None else ""
    return [str(row[0]) for row in sql.rows(f"SELECT {sql.digest} FROM {rows} WHERE {condition}{limit}")]


def _gone(
    mark: Mark, sql: CursorSql, rows: str, last: Mark, lookback: Decimal, name: str
) -> list[tuple[str, list[str]]]:
    """Digests of rows that were loaded, are not there now, and would be met again if they came back.

    Raises FatalError for rows that came the same in every column as what was loaded: nobody could say which those are.
    """
    again = f"{_again(sql, last, lookback)} AND NOT ({_past(sql, last)})"
    here = Counter(_digests(sql, rows, again))
    _refuse_more_of_the_same(here, last, name)
    gone = []
    for value, digests in [*last.gone, (last.highest, last.seen)]:
        missing = sorted((Counter(digests) - here).elements())
        here -= Counter(digests)
        if missing and _is_met(value, mark, sql, lookback):
            gone.append((value, missing))
    return gone


def _is_met(value: str, mark: Mark, sql: CursorSql, lookback: Decimal) -> bool:
    """Whether the next load looks at a row with that value again."""
    row = f"(SELECT {sql.constant(value)} AS {identifier(mark.cursor)}) AS windlass_row"
    return bool(sql.rows(f"SELECT 1 FROM {row} WHERE {sql.not_before(mark.highest, lookback)}"))


def _floors(mark: Mark, last: Mark | None, lookback: Decimal) -> list[tuple[str, str]]:
    """The last load's, as far as the lookback is longer than theirs, and this load's."""
    before = last.floors if last is not None else ()
    return [*(floor for floor in before if Decimal(floor[1]) < lookback), (mark.highest, f"{lookback:f}")]


# --- what is refused ------------------------------------------------------------------------------


_ANEW = "give the task another name to begin anew"


def _refuse_another_cursor(last: Mark, cursor: str, name: str) -> None:
    if last.cursor != cursor:
        message = f"{name}: the last load went by the cursor {last.cursor!r}, and this one goes by {cursor!r}"
        raise FatalError(message, hint=_ANEW, code=Code.CURSOR)


def _refuse_other_values(last: Mark, sql: CursorSql, since: Since, name: str) -> None:
    """What the last load noted has to be about such rows as are there now."""
    if last.family != sql.family:
        message = (
            f"{name}: the cursor {last.cursor!r} had values of another kind ({last.family}) at the last load"
        )
        raise FatalError(message, hint=_ANEW, code=Code.CURSOR)
    if since.rereads:
        return
    hint, at = f"use `mode: merge`, or {_ANEW}", f"{last.cursor} = {last.highest}"
    if not last.columns:
        message = f"{name}: the last load was a merge, which keeps no account of the rows at {at}"
        raise FatalError(message, hint=hint, code=Code.CURSOR)
    if _loaded(last) and [list(column) for column in last.columns] != [
        list(column) for column in sql.columns
    ]:
        message = (
            f"{name}: its columns have changed since the last load, and so rows at {at} that were loaded cannot be "
            "told from new ones"
        )
        raise FatalError(message, hint=hint, code=Code.CURSOR)


def _refuse_rows_without_a_value(sql: CursorSql, rows: str, since: Since, name: str) -> None:
    if since.nulls != "fail":
        return
    without = sql.rows(f"SELECT count(*) FROM {rows} WHERE {sql.value} IS NULL")[0][0]
    if without:
        hint = "`nulls: skip` leaves such rows out; with `mode: merge`, `nulls: read` reads them each time"
        message = f"{name}: the cursor {since.cursor!r} has no value in {counted(without, 'row')}"
        raise FatalError(message, hint=hint, code=Code.CURSOR)


def _refuse_what_is_not_ordered(sql: CursorSql, rows: str, since: Since, name: str) -> None:
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


def _refuse_more_of_the_same(here: Counter[str], last: Mark, name: str) -> None:
    """Of rows that are the same in every column, nobody could say which were loaded."""
    loaded = Counter(_loaded(last))
    more = sum(here[digest] - count for digest, count in loaded.items() if here[digest] > count)
    if more:
        hint = "give them a key, or use `mode: merge`"
        raise FatalError(
            f"{name}: {counted(more, 'row')} came at {last.cursor} = {last.highest} the same in every column as what was "
            "loaded, and cannot be told from it",
            hint=hint,
            code=Code.CURSOR,
        )


def _refuse_too_many(count: int, since: Since, name: str) -> None:
    if count > MOST_REMEMBERED:
        where = (
            "within `lookback`" if since.lookback is not None else f"at the highest value of {since.cursor!r}"
        )
        hint = "use `mode: merge`, a finer cursor, or a shorter `lookback`"
        message = f"{name} has more than {MOST_REMEMBERED:,} rows {where}: too many to tell new ones from"
        raise FatalError(message, hint=hint, code=Code.CURSOR)


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

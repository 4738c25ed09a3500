"""Which rows of a table are new since the last load: exactly, and without a cursor or a privilege.

Every version of a row has the number of the transaction that wrote it, `xmin`. All transactions below the
`pg_snapshot_xmin` of a snapshot have ended, so whatever they committed is visible in it. A load reads the
versions written by transactions from the last load's such number up to its own. What is still open, or
prepared, waits for the next load; nothing is read twice, and nothing is skipped, whatever the order in which
transactions took their numbers, their clocks or their sequences, and committed. A subtransaction has a higher
number than its transaction, and so waits with it.

Numbers have 32 bits in a row and 64 in a snapshot. `age(xmin)` says how far a row's number lies behind the
next one, modulo 2^32; that is exact while less than 2^31 numbers are taken between two loads. What it cannot
tell is a row that was frozen more than 2^32 transactions ago: its number comes round again. Nor can a number
speak of a row that was moved: by another server, by a table made anew, by ALTER TABLE or CLUSTER. Such rows
are `doubtful`: a merge may read them once more, and an append must tell them by the cursor or refuse.

(Postgres: "Transactions and Identifiers", "Preventing Transaction ID Wraparound Failures".)
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from windlass.connectors.postgres.catalog import PgColumn, Table
from windlass.connectors.postgres.session import Session
from windlass.connectors.scratch import identifier, literal
from windlass.errors import FatalError

__all__ = ["Mark", "NewRows", "find_new_rows", "has_numbers"]

_ROUND = 1 << 32
_FIRST_NORMAL = (
    3  # numbers below it are of no transaction: the server's first start, and rows frozen by old servers
)
_TOO_FAR = (1 << 31) - (1 << 20)  # age() is exact below 2^31; the rest is for what begins meanwhile
_HISTORY_STEP = 1 << 28


@dataclass(frozen=True)
class Leaf:
    """A table that has rows itself, and up to which transaction those have been loaded."""

    filenode: int
    until: int


@dataclass(frozen=True)
class Mark:
    """How far a load came: what the ledger keeps of it, as JSON."""

    server: str
    major: int
    next: int
    table: int
    leaves: Mapping[int, Leaf]
    column: str | None = None
    """The cursor's column."""

    cursor: str | None = None
    """No row that is loaded has a higher value in it."""

    history: tuple[tuple[int, str | None], ...] = ()
    """Earlier marks, far apart: up to which transaction, and the cursor then."""

    @property
    def until(self) -> int:
        return max((leaf.until for leaf in self.leaves.values()), default=0)

    def to_json(self) -> str:
        leaves = {str(oid): [leaf.filenode, leaf.until] for oid, leaf in self.leaves.items()}
        return json.dumps({**self.__dict__, "leaves": leaves}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> Mark | None:
        """The mark that `to_json` wrote; None for anything else, such as a cursor alone."""
        try:
            value = json.loads(text or "")
            leaves = {int(oid): Leaf(*leaf) for oid, leaf in value.pop("leaves").items()}
            history = tuple((until, cursor) for until, cursor in value.pop("history"))
            return cls(**value, leaves=leaves, history=history)
        except (ValueError, TypeError, AttributeError, KeyError):
            return None


@dataclass(frozen=True)
class NewRows:
    """The rows of one load, as SQL over the table, and the mark that it leaves."""

    mark: Mark
    now: Now
    since: Mapping[int, int | None]
    """For each table that has rows itself: from which transaction on they are new."""

    partitioned: bool
    doubtful: str | None = None
    """SQL that is true for a row which may have been loaded before; None when there can be none."""

    because: str = ""

    def condition_in(self, session: Session) -> str:
        """SQL for the new rows, in a transaction that has the same snapshot.

        What `age()` counts from differs between transactions, and is the same all through one.
        """
        next_ = _next_number(session, self.now.ended)
        alike: defaultdict[int | None, list[int]] = defaultdict(list)
        for oid, begin in self.since.items():
            alike[begin].append(oid)
        needs_leaf = self.partitioned or len(self.since) > 1
        tests = []
        for begin, oids in alike.items():
            test = _between(next_, begin, self.now.until)
            tests.append(f"({_in_leaves(oids)} AND {test})" if needs_leaf else test)
        return f"({' OR '.join(tests)})" if tests else "false"


@dataclass(frozen=True)
class Now:
    """The server in this transaction's snapshot."""

    server: str
    major: int
    until: int
    """All transactions below it have ended."""

    ended: int
    """No transaction from it on had begun."""

    next: int
    passing: bool
    """Some transactions that were open in the snapshot have ended by now, so another one would have more rows."""

    leaves: Mapping[int, int]
    """The tables that have rows themselves, and their files."""


def has_numbers(session: Session, table: Table) -> bool:
    """Whether every row of the table, and of its partitions, has the number of its transaction and keeps it.

    Not so: views, foreign tables, other storage than the server's own, and materialized views, whose rows are
    written anew at each refresh.
    """
    if table.kind not in ("r", "p"):
        return False
    return bool(session.value(f"{_TREE} SELECT bool_and({_IS_HEAP}) {_OF_TREE}", table.oid))


def find_new_rows(
    session: Session, table: Table, last: Mark | None, cursor: PgColumn | None = None
) -> NewRows:
    """What is new of the table in the snapshot of the open transaction (REPEATABLE READ), since `last`.

    Raises FatalError when a partition has no transaction numbers.
    """
    now = _look(session, table)
    moved = _why_all_is_doubtful(last, now, table)
    known = {} if last is None or moved else last.leaves
    since = {oid: known[oid].until if oid in known else None for oid in now.leaves}
    mark = _mark(now, table, _still_there(session, known), last, cursor)
    doubtful, because = _doubt(last, now, moved, cursor)
    return NewRows(mark, now, since, table.kind == "p", doubtful, because)


# --- what there is -------------------------------------------------------------------------------

_TREE = """
WITH RECURSIVE tree AS (
    SELECT $1::int8::oid AS oid
    UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid
)
"""
_OF_TREE = "FROM tree JOIN pg_class c USING (oid) LEFT JOIN pg_am a ON a.oid = c.relam WHERE c.relkind <> 'p'"
_IS_HEAP = "c.relkind = 'r' AND a.amname = 'heap'"

_SERVER = """
SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || CASE
    WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
    ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END
"""


def _look(session: Session, table: Table) -> Now:
    of, current = (
        ("pg_snapshot", "pg_current") if session.version >= 13 else ("txid_snapshot", "txid_current")
    )
    found = session.row(
        f"SELECT {of}_xmin(s)::text::int8 AS until, {of}_xmax(s)::text::int8 AS ended, pg_is_in_recovery() AS replica, "
        f"ARRAY(SELECT x::text::int8 FROM {of}_xip(s) x) AS open FROM {current}_snapshot() s"
    )
    until, passing = found["until"], False
    if not found["replica"]:  # which does not know the transactions that are open
        until, passing = _until(session, found["open"], found["ended"])
    leaves = session.fetch(
        f"{_TREE} SELECT c.oid::int8 AS oid, {_IS_HEAP} AS heap, pg_relation_filenode(c.oid)::int8 AS filenode {_OF_TREE}",
        table.oid,
    )
    if not all(leaf["heap"] for leaf in leaves):
        raise FatalError(f"a part of {table.sql} is not an ordinary table, so its new rows cannot be told")
    return Now(
        server=_server(session),
        major=session.version,
        until=until,
        passing=passing,
        ended=found["ended"],
        next=_next_number(session, found["ended"]),
        leaves={leaf["oid"]: leaf["filenode"] for leaf in leaves},
    )


def _next_number(session: Session, ended: int) -> int:
    """The number that `age()` counts from in this transaction: the next one when it first asked, and so not before
    the end of its snapshot."""
    age = int(session.value(f"SELECT age('{_FIRST_NORMAL}'::xid)"))
    return ended + (age + _FIRST_NORMAL - ended) % _ROUND


# The numbers of transactions that have one now, each with who has it.
_TRANSACTIONS = """
SELECT transactionid::text::int8 AS number, virtualtransaction AS owner, pid
FROM pg_locks WHERE granted AND locktype = 'transactionid' AND mode = 'ExclusiveLock'
"""
_ELSEWHERE = """
SELECT pid FROM pg_stat_activity
WHERE datid <> 0 AND datid <> (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_PREPARED_ELSEWHERE = """
SELECT transaction::text::int8 AS number FROM pg_prepared_xacts WHERE database <> current_database()
"""


def _until(session: Session, open_: Sequence[int], ended: int) -> tuple[int, bool]:
    """Up to which transaction all that may write to this database have ended; whether some have ended meanwhile.

    A process stays in its database. That a transaction is open both before and after it was looked where its process
    is, is proof that the number of the process was not somebody else's by then.
    """
    before = {row["number"]: (row["owner"], row["pid"]) for row in session.fetch(_TRANSACTIONS)}
    others = {row["pid"] for row in session.fetch(_ELSEWHERE)}
    after = {row["number"]: (row["owner"], row["pid"]) for row in session.fetch(_TRANSACTIONS)}
    elsewhere = {row["number"] for row in session.fetch(_PREPARED_ELSEWHERE)}
    elsewhere |= {number for number, who in after.items() if who[1] in others and before.get(number) == who}
    here = [number for number in open_ if number % _ROUND not in elsewhere]
    passing = any(number % _ROUND not in after for number in here)
    return min(here, default=ended), passing


def _server(session: Session) -> str:
    """Which server this is, and which of its histories; empty where it does not say."""
    session.execute("SAVEPOINT windlass_server")
    try:
        return str(session.value(_SERVER))
    except FatalError:
        session.execute("ROLLBACK TO windlass_server")
        return ""
    finally:
        session.execute("RELEASE windlass_server")  # a snapshot is not exported from within one


def _why_all_is_doubtful(last: Mark | None, now: Now, table: Table) -> str | None:
    """Why the last load's transaction numbers say nothing of the rows that are there now, if so."""
    if last is None:
        return None
    upgraded = last.server.partition("/")[0] != now.server.partition("/")[0] and now.major > last.major
    if now.next < last.next or (last.server != now.server and not upgraded):
        return "the server is not the one of the last load, or went back to an earlier state of it"
    if now.next - last.until >= _TOO_FAR:
        return "more than two billion transactions lie between this load and the last"
    if last.table != table.oid:
        return "the table was made anew since the last load"
    return None


# --- SQL -----------------------------------------------------------------------------------------


def _between(next_: int, begin: int | None, until: int) -> str:
    """True for the rows of transactions from `begin` on and below `until`."""
    if begin is None:
        return f"NOT (age(xmin) BETWEEN 0 AND {next_ - until})"
    return f"(age(xmin) > {next_ - until} AND age(xmin) <= {next_ - begin})"


def _in_leaves(oids: Iterable[int]) -> str:
    return f"tableoid IN ({', '.join(map(str, oids))})"


def _doubt(last: Mark | None, now: Now, moved: str | None, cursor: PgColumn | None) -> tuple[str | None, str]:
    """SQL for the rows that may have been loaded before, and why."""
    if last is None:
        return None, ""
    if moved:
        return _not_past(last, cursor, last.cursor), moved
    tests, because = [], ""
    rewritten = [o for o, f in now.leaves.items() if o in last.leaves and last.leaves[o].filenode != f]
    if rewritten:
        tests.append(f"({_in_leaves(rewritten)} AND {_not_past(last, cursor, last.cursor)})")
        because = (
            "the table was rewritten since the last load (ALTER TABLE, VACUUM FULL, TRUNCATE and the like)"
        )
    if now.until > _ROUND + _FIRST_NORMAL:
        tests.append(_not_past(last, cursor, _cursor_a_round_ago(last, now)))
        because = (
            because or "more than four billion transactions have passed on that server, so numbers come again"
        )
    return (" OR ".join(tests) if tests else None), because


def _not_past(last: Mark, cursor: PgColumn | None, value: str | None) -> str:
    """True for the rows that the cursor does not show to be new: those not past its value."""
    if cursor is None or last.column != cursor.name:
        return "true"
    if value is None:  # no row with a cursor was loaded
        return f"{identifier(cursor.name)} IS NULL"
    return f"({identifier(cursor.name)} > {literal(value)}::{cursor.type}) IS NOT TRUE"


def _cursor_a_round_ago(last: Mark, now: Now) -> str | None:
    """A value that no row has which was loaded before its transaction's number could come again."""
    ancient = now.until - _ROUND
    return next((cursor for until, cursor in last.history if until >= ancient), last.cursor)


def _mark(
    now: Now, table: Table, known: Mapping[int, Leaf], last: Mark | None, cursor: PgColumn | None
) -> Mark:
    """The mark of this load. A partition that is detached keeps its own: it may come back."""
    leaves = {**known, **{oid: Leaf(filenode, now.until) for oid, filenode in now.leaves.items()}}
    column = cursor.name if cursor else None
    history: tuple[tuple[int, str | None], ...] = ()
    if last is not None and last.column == column:
        history = tuple((until, value) for until, value in last.history if until >= now.until - _ROUND)
        if last.until >= (history[-1][0] if history else 0) + _HISTORY_STEP:
            history = (*history, (last.until, last.cursor))
    return Mark(now.server, now.major, now.next, table.oid, leaves, column, None, history)


def _still_there(session: Session, leaves: Mapping[int, Leaf]) -> dict[int, Leaf]:
    """Without the tables that were dropped."""
    found = session.fetch(
        "SELECT oid::int8 AS oid FROM pg_class WHERE oid = ANY ($1::int8[]::oid[])", list(leaves)
    )
    return {row["oid"]: leaves[row["oid"]] for row in found}

"""MySQL and MariaDB as the destination of a copy.

Rows to be added go straight into the table, in one transaction with the row of the ledger. A new table, and one that is
replaced, is loaded beside and takes its place at once (swapping.py). Rows that change or displace others are gathered in
a temporary table first, so that the transaction which brings them over is short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from windlass import failpoints
from windlass.connectors.destination import BaseDestination, BaseLoad, Traits
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mysql import options
from windlass.connectors.mysql.catalog import OURS, Definition, Table, find_table
from windlass.connectors.mysql.errors import reason_of_row
from windlass.connectors.mysql.names import split_name, text
from windlass.connectors.mysql.session import Session
from windlass.connectors.mysql.writing.engine import MysqlEngine
from windlass.connectors.mysql.writing.inserts import Inserts
from windlass.connectors.mysql.writing.ledger import Ledger
from windlass.connectors.mysql.writing.swapping import Swap, can_be_swapped, recover
from windlass.connectors.mysql.writing.turns import Turns
from windlass.connectors.mysql.writing.types import as_wanted, may_be_boolean, refusal, storable
from windlass.connectors.rows import BadRow, Column, Counts, Meter, Rows
from windlass.connectors.scratch import Scratch, identifier
from windlass.connectors.sql.engine import NewRows
from windlass.connectors.sql.halving import insert_by_halves
from windlass.connectors.sql.merging import delete_interval, merge, quarantine_bad_keys
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.ledger import LedgerEntry, fenced

__all__ = ["MysqlDestination"]

_MODE = (
    *(
        "STRICT_ALL_TABLES",
        "STRICT_TRANS_TABLES",
        "NO_ZERO_DATE",
        "NO_ZERO_IN_DATE",
        "ERROR_FOR_DIVISION_BY_ZERO",
    ),
    *("NO_AUTO_VALUE_ON_ZERO", "NO_ENGINE_SUBSTITUTION", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"),
)
_SETTINGS = (
    f"SET sql_mode = '{','.join(_MODE)}'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",  # which locks no rows but those that it changes
    "SET lock_wait_timeout = 300",  # for tables, where it is a day
)
_LONGEST_NAME = 64
_LOOKED_AT = 1000  # rows
_AT_ONCE = 64 << 20  # bytes in a transaction, where it can be several: a long one is slow to undo
_STAGE, _NUMBER = "_windlass_stage", "windlass_row"
_MOMENTS = ("date", "datetime", "timestamp")


class MysqlDestination(BaseDestination):
    """A table. Implements `Destination`."""

    traits = Traits(way="arrow → inserts")

    def __init__(self, end: ConnectedEnd[options.Destination]) -> None:
        self.options, self.interval = end.options, end.interval
        self.schema, self.table = split_name(end.options.table, end.address.database)
        self.name = f"{self.schema}.{self.table}"
        self.session = _session(end)
        self._begun: LedgerEntry | None = None

    def close(self) -> None:
        self.session.close()

    def begin(self, entry: LedgerEntry) -> MysqlLoad:
        _check_name(self.table)
        ledger = Ledger(self.session, self.schema, self.table)
        ledger.create()
        turns = Turns(self.session, ledger)
        before = turns.take(entry)
        failpoints.reach("during-recovery")
        if before is not None:
            recover(self.session, ledger, self.schema, self.table, before)
        ledger.take(entry)
        self._begun = entry
        return MysqlLoad(self, ledger, turns, entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        ledger = Ledger(self.session, self.schema, self.table)
        ledger.create()
        turns = Turns(self.session, ledger)
        before = turns.take_from(loads)
        if before is not None:
            recover(self.session, ledger, self.schema, self.table, before)
        return ledger.find(entry)

    def explain(self, error: RetryableError) -> WindlassError:
        """A lost connection may be the doing of a later start of the same load; then trying again would be wrong."""
        if self._begun is None:
            return error
        with suppress(WindlassError):
            session = Session(self.session.address)
            try:
                writer = Ledger(_as_ours(session), self.schema, self.table).writer()
            finally:
                session.close()
            mine = self._begun
            if writer and writer.entry.key == mine.key and writer.entry.load_id != mine.load_id:
                return fenced(self.name)
        return error


class MysqlLoad(BaseLoad):
    """One load. Implements `Load` and `GrowingLoad`."""

    def __init__(
        self, destination: MysqlDestination, ledger: Ledger, turns: Turns, entry: LedgerEntry
    ) -> None:
        self.earlier, self.last_cursor = ledger.find(entry), ledger.last_cursor(entry)
        self._destination, self._session = destination, destination.session
        self._options, self._interval = destination.options, destination.interval
        self._engine, self._ledger, self._turns = MysqlEngine(self._session), ledger, turns
        self._swap = Swap(self._session, destination.schema, destination.table, entry.load_id)
        self._table = find_table(self._session, destination.schema, destination.table)
        _check_table(self._table, destination.name)
        self._place = f"{identifier(destination.schema)}.{identifier(destination.table)}"
        self._swaps = self._in_transaction = False
        self._grown: Sequence[Column] = ()

    def __exit__(self, *_: object) -> None:
        """The server undoes what is not committed once the session ends, and nobody has the turn any more."""
        with suppress(WindlassError):
            self._roll_back()
            self._swap.drop()
            self._turns.leave()
        self._session.close()

    def columns(self, scratch: Scratch) -> list[Column] | None:
        if self._table is None:
            return None
        rounds_json, booleans = not self._session.is_mariadb, self._booleans(self._table)
        return [
            as_wanted(column, is_boolean=identifier(column.name) in booleans, rounds_json=rounds_json)
            for column in self._table.columns
        ]

    def _booleans(self, table: Table) -> set[str]:
        """The columns that are booleans: TINYINT(1) is what MySQL has for them, unless its rows have other numbers."""
        asked = [identifier(column.name) for column in table.columns if may_be_boolean(column)]
        if not asked:
            return set()
        tests = ", ".join(f"MAX({name} NOT IN (0, 1))" for name in asked)
        some = f"(SELECT {', '.join(asked)} FROM {self._place} LIMIT {_LOOKED_AT}) AS some"
        (found,) = self._session.rows(f"SELECT {tests} FROM {some}")
        return {name for name, other in zip(asked, found, strict=True) if not other}

    def storable(self, column: Column) -> Column:
        if len(column.name) > _LONGEST_NAME or column.name.endswith(" ") or "\0" in column.name:
            message = f"MySQL cannot have a column called {column.name!r}"
            raise FatalError(message, hint="choose another name with `select`")
        exact = "utf8mb4_nopad_bin" if self._session.is_mariadb else "utf8mb4_0900_bin"
        return storable(
            column,
            is_key=column.name in self._options.key,
            keys=len(self._options.key) or 1,
            exact=exact,
            rounds_json=not self._session.is_mariadb,
        )

    def grow(self, columns: Sequence[Column]) -> None:
        self._grown = columns

    # --- rows ---

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        failpoints.reach("before-staging")
        table = self._prepared(rows.columns)
        for column in rows.columns:
            _check_writable(table, column.name)
        target = self._swap.sql if self._swaps else self._place
        if self._options.mode == "append" or (self._swaps and self._options.mode != "merge"):
            if not self._swaps:
                self._begin()
            self._gather(rows, target, counts, meter)
        else:
            self._through_stage(rows, target, table, counts, meter)

    def restart(self) -> None:
        self._roll_back()
        self._engine.changed(f"DROP TEMPORARY TABLE IF EXISTS {_STAGE}")
        self._swap.drop()
        self._swaps, self._grown = False, ()

    def commit(self, entry: LedgerEntry) -> None:
        failpoints.reach("before-ledger")
        if self._swaps:
            self._swap.commit(self._ledger, entry, replaces=self._table is not None)
            return
        if not self._in_transaction:
            self._begin()
        self._ledger.require_turn(entry)
        self._ledger.record(entry)
        failpoints.reach("after-ledger")
        failpoints.reach("before-commit")
        self._commit()
        failpoints.reach("after-commit")

    # --- where they go ---

    def _prepared(self, columns: Sequence[Column]) -> Table:
        """Have the table that the rows go into, and say what it is like."""
        if self._table is None:
            self._swap.make(self._definitions(columns))
            self._swaps = True
        elif self._options.mode == "replace" and can_be_swapped(self._session, self._table):
            self._swap.make_like(self._next_number())
            self._swaps = True
        if self._grown:
            added = ", ".join(f"ADD COLUMN {identifier(c.name)} {c.native} NULL" for c in self._grown)
            self._session.execute(f"ALTER TABLE {self._swap.sql if self._swaps else self._place} {added}")
        here = self._destination
        found = self._swap.found() if self._swaps else find_table(self._session, here.schema, here.table)
        assert found is not None
        return found

    def _definitions(self, columns: Sequence[Column]) -> str:
        key = self._options.key
        made = [f"{identifier(c.name)} {c.native} {'NOT NULL' if c.name in key else 'NULL'}" for c in columns]
        if key:
            made.append(f"PRIMARY KEY ({', '.join(map(identifier, key))})")
        return ", ".join(made)

    def _next_number(self) -> int | None:
        here = self._destination
        if not self._session.is_mariadb:
            self._session.execute("SET information_schema_stats_expiry = 0")
        found = self._session.value(
            "SELECT AUTO_INCREMENT FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = {text(here.schema)} AND TABLE_NAME = {text(here.table)}"
        )
        return None if found is None else int(found)

    def _begin(self) -> None:
        self._session.execute("BEGIN")
        self._in_transaction = True

    def _commit(self) -> None:
        self._session.execute("COMMIT")
        self._in_transaction = False

    def _roll_back(self) -> None:
        if self._in_transaction:
            self._session.execute("ROLLBACK")
            self._in_transaction = False

    def _gather(
        self, rows: Rows, target: str, counts: Counts, meter: Meter, number: str | None = None
    ) -> None:
        longest = int(self._session.value("SELECT @@max_allowed_packet"))
        in_pieces, since_commit = not self._in_transaction, 0  # of rows that nobody sees yet
        if in_pieces:
            self._begin()
        for batch, written in Inserts(self._engine, target, rows, longest, number).send():
            counts.written += written
            counts.bytes += batch.nbytes
            meter(batch.num_rows, batch.nbytes)
            failpoints.reach("mid-copy")
            since_commit += batch.nbytes
            if in_pieces and since_commit > _AT_ONCE:
                self._session.execute("COMMIT AND CHAIN")
                since_commit = 0
        if in_pieces:
            self._commit()

    # --- rows that change or displace others ---

    def _through_stage(self, rows: Rows, target: str, table: Table, counts: Counts, meter: Meter) -> None:
        self._make_stage(table, rows.columns)
        self._gather(rows, _STAGE, counts, meter, _NUMBER)
        new = NewRows(_STAGE, tuple(column.name for column in rows.columns), _NUMBER)
        key = self._options.key
        if self._options.mode == "merge":
            new = quarantine_bad_keys(self._engine, new, key, rows.refuse)
        self._begin()
        if self._options.mode == "replace":
            self._engine.changed(f"DELETE FROM {target}")
        elif self._options.mode == "delete_insert":
            self._make_room(target, table)
        if self._options.mode == "merge":
            self._merge_all(rows, new, target, counts)
        else:
            counts.written = self._place_all(rows, new, lambda some: self._insert(some, target))

    def _make_room(self, target: str, table: Table) -> None:
        column, interval = str(self._options.interval), self._interval
        found = next((each for each in table.columns if each.name == column), None)
        if found is None or found.base not in _MOMENTS:
            raise FatalError(
                f"`interval`: {column!r} is not a date or time column of {self._destination.name}"
            )
        assert interval is not None
        delete_interval(self._engine, target, column, interval)

    def _make_stage(self, table: Table, columns: Sequence[Column]) -> None:
        """A temporary table with the very types of the table, where nothing is refused."""
        found = {each.name: each for each in table.columns}
        made = [f"{_NUMBER} BIGINT PRIMARY KEY", *(_definition(found[column.name]) for column in columns)]
        if self._options.mode == "merge":
            made.append(
                f"KEY ({', '.join(_indexed(found[name]) for name in self._options.key if name in found)})"
            )
        self._session.execute(f"DROP TEMPORARY TABLE IF EXISTS {_STAGE}")
        here = identifier(self._destination.schema)
        self._session.execute(f"CREATE TEMPORARY TABLE {here}.{_STAGE} ({', '.join(made)}) ENGINE=InnoDB")

    def _merge_all(self, rows: Rows, new: NewRows, target: str, counts: Counts) -> None:
        counts.inserted = counts.updated = counts.unchanged = 0

        def merge_some(some: NewRows) -> int:
            done = Counts()
            merge(self._engine, target, some, self._options.key, done)
            counts.inserted = (counts.inserted or 0) + (done.inserted or 0)
            counts.updated = (counts.updated or 0) + (done.updated or 0)
            counts.unchanged = (counts.unchanged or 0) + (done.unchanged or 0)
            return done.written

        counts.written = self._place_all(rows, new, merge_some)

    def _place_all(self, rows: Rows, new: NewRows, place: Callable[[NewRows], int]) -> int:
        """Bring in all rows but those that the table refuses, which are quarantined. Returns how many went in."""
        end = int(self._engine.rows(f"SELECT COALESCE(MAX({_NUMBER}), -1) + 1 FROM {new.sql}")[0][0])

        def attempt(first: int, last: int) -> int:
            return self._whole(lambda: place(_between(new, first, last)))

        def refused(number: int, error: WindlassError) -> int:
            rows.refuse(self._bad_row(new, number, error), number)
            return 0

        if not rows.quarantines:
            return attempt(0, end)
        return insert_by_halves(0, end, attempt, refused)

    def _insert(self, new: NewRows, target: str) -> int:
        return self._engine.changed(
            f"INSERT INTO {target} ({new.columns}) SELECT {new.columns} FROM {new.sql} AS s"
        )

    def _whole(self, place: Callable[[], int]) -> int:
        """Bring rows in, or nothing of them."""
        self._session.execute("SAVEPOINT windlass_part")
        try:
            placed = place()
        except RetryableError:  # a deadlock has undone all of it
            raise
        except WindlassError:
            self._session.execute("ROLLBACK TO SAVEPOINT windlass_part")
            raise
        self._session.execute("RELEASE SAVEPOINT windlass_part")
        return placed

    def _bad_row(self, new: NewRows, number: int, error: WindlassError) -> BadRow:
        """The row that the table refused. Raises any other error again."""
        reason = reason_of_row(error)
        if reason is None:
            raise error
        select = f"SELECT {self._engine.record(new.names)} FROM {new.sql} WHERE {_NUMBER} = {number}"
        record = self._engine.read_record(new.names, self._engine.rows(select)[0])
        return BadRow(reason, error.message, record=record)


def _session(end: ConnectedEnd[Any]) -> Session:
    session = Session(end.address)
    try:
        return _as_ours(session)
    except BaseException:
        session.close()
        raise


def _as_ours(session: Session) -> Session:
    """Set a session up so that nothing is changed without a word, and SQL is written as in the standard."""
    for setting in _SETTINGS:
        session.execute(setting)
    return session


def _between(new: NewRows, first: int, last: int) -> NewRows:
    rows = f"(SELECT * FROM {new.sql} WHERE {_NUMBER} >= {first} AND {_NUMBER} < {last})"
    return replace(new, sql=rows)


def _definition(column: Definition) -> str:
    text_ = (
        f" CHARACTER SET {column.charset} COLLATE {column.collation}"
        if column.charset and column.collation
        else ""
    )
    return f"{identifier(column.name)} {column.kind}{text_} NULL"


def _indexed(column: Definition) -> str:
    """A column as it stands in an index, of which long text and bytes are the beginning."""
    is_long = column.octets is not None and column.octets > _LONGEST_NAME * 4
    return identifier(column.name) + (f"({_LONGEST_NAME})" if is_long else "")


def _check_name(table: str) -> None:
    if len(table) > _LONGEST_NAME or table.startswith(OURS) or "\0" in table:
        raise FatalError(f"a table cannot be called {table!r}")


def _check_table(table: Table | None, name: str) -> None:
    """Raise FatalError for what does not undo what a transaction has written."""
    if table is None:
        return
    if table.kind not in ("BASE TABLE", "SYSTEM VERSIONED"):
        raise FatalError(f"{name} is a {table.kind.lower()}, and a copy only writes to a table")
    if table.engine != "InnoDB":
        hint = f"convert it: ALTER TABLE {name} ENGINE=InnoDB"
        message = f"{name} is kept by the engine {table.engine}, which cannot undo a load that fails"
        raise FatalError(message, hint=hint)


def _check_writable(table: Table, name: str) -> None:
    found = next((column for column in table.columns if column.name == name), None)
    why = refusal(found) if found is not None else None
    if why is not None:
        raise FatalError(f"column {name!r} of {table.schema}.{table.name} cannot be written: {why}")

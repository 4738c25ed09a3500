"""MySQL and MariaDB as the destination of a copy.

Rows to be added go straight into the table, in one transaction with the row of the ledger. A new table, and one that is
replaced, is loaded beside and takes its place at once (landing.py, swapping.py). Rows that change or displace others are
gathered in a temporary table first (displacing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from windlass import failpoints
from windlass.connectors.destination import BaseDestination, BaseLoad, Traits
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mysql import options
from windlass.connectors.mysql.catalog import Table
from windlass.connectors.mysql.names import split_name
from windlass.connectors.mysql.session import Session
from windlass.connectors.mysql.writing.checks import (
    check_column_name,
    check_name,
    check_table,
    check_writable,
)
from windlass.connectors.mysql.writing.displacing import Displacing
from windlass.connectors.mysql.writing.gathering import Gathering
from windlass.connectors.mysql.writing.landing import Landing
from windlass.connectors.mysql.writing.ledger import Ledger
from windlass.connectors.mysql.writing.sessions import as_ours, writing_session
from windlass.connectors.mysql.writing.swapping import recover
from windlass.connectors.mysql.writing.transaction import Transaction
from windlass.connectors.mysql.writing.turns import Turns
from windlass.connectors.mysql.writing.types import as_wanted, may_be_boolean, storable
from windlass.connectors.mysql.writing.widening import wider_definition
from windlass.connectors.rows import Column, Counts, Meter, Rows
from windlass.connectors.scratch import Scratch, identifier
from windlass.errors import RetryableError, WindlassError
from windlass.ledger import LedgerEntry, fenced

__all__ = ["MysqlDestination"]

_LOOKED_AT = 1000  # rows


class MysqlDestination(BaseDestination):
    """A table. Implements `Destination`."""

    traits = Traits(way="arrow → inserts")

    def __init__(self, end: ConnectedEnd[options.Destination]) -> None:
        self.options, self.interval = end.options, end.interval
        self.schema, self.table = split_name(end.options.table, end.address.database)
        self.name = f"{self.schema}.{self.table}"
        self.session = writing_session(end)
        self._begun: LedgerEntry | None = None

    def close(self) -> None:
        self.session.close()

    def begin(self, entry: LedgerEntry) -> MysqlLoad:
        check_name(self.table)
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
                writer = Ledger(as_ours(session), self.schema, self.table).writer()
            finally:
                session.close()
            mine = self._begun
            if writer and writer.entry.key == mine.key and writer.entry.load_id != mine.load_id:
                return fenced(self.name)
        return error


class MysqlLoad(BaseLoad):
    """One load. Implements `Load`, `GrowingLoad` and `WideningLoad`."""

    def __init__(
        self, destination: MysqlDestination, ledger: Ledger, turns: Turns, entry: LedgerEntry
    ) -> None:
        self.earlier, self.last_cursor = ledger.find(entry), ledger.last_cursor(entry)
        self._destination, self._session = destination, destination.session
        self._options = destination.options
        self._ledger, self._turns, self._transaction = ledger, turns, Transaction(self._session)
        place = (destination.schema, destination.table)
        self._landing = Landing(self._session, place, destination.options, entry.load_id)
        self._gathering = Gathering(self._session, self._transaction)
        self._displacing = Displacing(
            self._session, self._transaction, destination.options, destination.interval, place
        )
        self._table = self._landing.table
        check_table(self._table, destination.name)
        self._grown: Sequence[Column] = ()
        self._widened: Sequence[Column] = ()

    def __exit__(self, *_: object) -> None:
        """The server undoes what is not committed once the session ends, and nobody has the turn any more."""
        with suppress(WindlassError):
            self._transaction.roll_back()
            self._landing.swap.drop()
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
        some = f"(SELECT {', '.join(asked)} FROM {self._landing.place} LIMIT {_LOOKED_AT}) AS some"
        (found,) = self._session.rows(f"SELECT {tests} FROM {some}")
        return {name for name, other in zip(asked, found, strict=True) if not other}

    def storable(self, column: Column) -> Column:
        check_column_name(column.name)
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

    def wider(self, column: Column, values: Column) -> Column | None:
        there = (
            next((each for each in self._table.columns if each.name == column.name), None)
            if self._table
            else None
        )
        if there is None or column.type == "BOOLEAN":
            return None
        found = wider_definition(there, values)
        return None if found is None else as_wanted(found, is_boolean=False, rounds_json=False)

    def widen(self, columns: Sequence[Column]) -> None:
        self._widened = columns

    # --- rows ---

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        failpoints.reach("before-staging")
        table = self._landing.prepare(rows.columns, self._grown, self._widened)
        for column in rows.columns:
            check_writable(table, column.name)
        swaps, target = self._landing.swaps, self._landing.sql
        if self._options.mode == "append" or (swaps and self._options.mode != "merge"):
            if not swaps:
                self._transaction.begin()
            self._gathering.gather(rows, target, counts, meter)
        else:
            self._displacing.write(rows, target, table, counts, meter)

    def restart(self) -> None:
        self._transaction.roll_back()
        self._displacing.forget()
        self._landing.forget()
        self._grown = self._widened = ()

    def commit(self, entry: LedgerEntry) -> None:
        failpoints.reach("before-ledger")
        if self._landing.swaps:
            self._landing.swap.commit(self._ledger, entry, replaces=self._table is not None)
            return
        if not self._transaction.is_open:
            self._transaction.begin()
        self._ledger.require_turn(entry)
        self._ledger.record(entry)
        failpoints.reach("after-ledger")
        failpoints.reach("before-commit")
        self._transaction.commit()
        failpoints.reach("after-commit")

"""Rows that change or displace others: they are gathered in a temporary table first, so that the transaction which brings them
over is short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from windlass.connectors.ends import Interval
from windlass.connectors.mysql import options
from windlass.connectors.mysql.catalog import Definition, Table
from windlass.connectors.mysql.errors import reason_of_row
from windlass.connectors.mysql.session import Session
from windlass.connectors.mysql.writing.checks import LONGEST_NAME
from windlass.connectors.mysql.writing.engine import MysqlEngine
from windlass.connectors.mysql.writing.gathering import Gathering
from windlass.connectors.mysql.writing.transaction import Transaction
from windlass.connectors.rows import BadRow, Column, Counts, Meter, Rows
from windlass.connectors.scratch import identifier
from windlass.connectors.sql.engine import NewRows
from windlass.connectors.sql.halving import insert_by_halves
from windlass.connectors.sql.merging import delete_interval, merge, quarantine_bad_keys
from windlass.errors import FatalError, WindlassError

__all__ = ["Displacing"]

_STAGE, _NUMBER = "_windlass_stage", "windlass_row"
_MOMENTS = ("date", "datetime", "timestamp")


class Displacing:
    """The rows of one load into a table that keeps others."""

    def __init__(
        self,
        session: Session,
        transaction: Transaction,
        wanted: options.Destination,
        interval: Interval | None,
        place: tuple[str, str],
    ) -> None:
        self._session, self._transaction, self._options = session, transaction, wanted
        self._interval, (self._schema, table) = interval, place
        self._name = f"{self._schema}.{table}"
        self._engine, self._gathering = MysqlEngine(session), Gathering(session, transaction)

    def forget(self) -> None:
        """Drop what was gathered."""
        self._engine.changed(f"DROP TEMPORARY TABLE IF EXISTS {_STAGE}")

    def write(self, rows: Rows, target: str, table: Table, counts: Counts, meter: Meter) -> None:
        """Bring the rows into the table, within a transaction that is open afterwards."""
        self._make_stage(table, rows.columns)
        self._gathering.gather(rows, _STAGE, counts, meter, _NUMBER)
        new = NewRows(_STAGE, tuple(column.name for column in rows.columns), _NUMBER)
        key = self._options.key
        if self._options.mode == "merge":
            new = quarantine_bad_keys(self._engine, new, key, rows.refuse)
        self._transaction.begin()
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
            raise FatalError(f"`interval`: {column!r} is not a date or time column of {self._name}")
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
        self._session.execute(
            f"CREATE TEMPORARY TABLE {identifier(self._schema)}.{_STAGE} ({', '.join(made)}) ENGINE=InnoDB"
        )

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
            return self._transaction.whole(lambda: place(_between(new, first, last)))

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

    def _bad_row(self, new: NewRows, number: int, error: WindlassError) -> BadRow:
        """The row that the table refused. Raises any other error again."""
        reason = reason_of_row(error)
        if reason is None:
            raise error
        select = f"SELECT {self._engine.record(new.names)} FROM {new.sql} WHERE {_NUMBER} = {number}"
        record = self._engine.read_record(new.names, self._engine.rows(select)[0])
        return BadRow(reason, error.message, record=record)


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
    is_long = column.octets is not None and column.octets > LONGEST_NAME * 4
    return identifier(column.name) + (f"({LONGEST_NAME})" if is_long else "")

"""SQLite as the destination of a copy.

Rows are gathered in a temporary database of their own, so the file is locked only for the last, short
transaction, which brings them over together with the row of the ledger. Readers see the old rows or the
new ones. Loads of one table follow each other; those of other tables wait only for that last transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from windlass import failpoints
from windlass.connectors.destination import BaseDestination, BaseLoad, Traits
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableDestination
from windlass.connectors.rows import BadRow, Column, Counts, Meter, Reason, Rows
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.connectors.sql.engine import NewRows
from windlass.connectors.sql.halving import insert_by_halves
from windlass.connectors.sql.ledger import SqlLedger
from windlass.connectors.sql.merging import delete_interval, merge, quarantine_bad_keys
from windlass.connectors.sqlite.database import connect_file, sqlite_errors, table_columns
from windlass.connectors.sqlite.engine import SqliteEngine
from windlass.connectors.sqlite.types import as_wanted, storable, stored_values
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.storage.turns import Turn, table_turns
from windlass.turns import InUseError, Waiting

__all__ = ["SqliteDestination"]

_STAGE = "windlass_stage.rows"
_REASONS = {
    "SQLITE_CONSTRAINT_UNIQUE": Reason.UNIQUE_VIOLATION,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Reason.UNIQUE_VIOLATION,
    "SQLITE_CONSTRAINT_NOTNULL": Reason.IS_NULL,
    "SQLITE_CONSTRAINT_CHECK": Reason.CHECK_VIOLATION,
    "SQLITE_CONSTRAINT_FOREIGNKEY": Reason.FOREIGN_KEY_VIOLATION,
}


_COLLATIONS = """
SELECT DISTINCT x.name, x.coll FROM pragma_index_list(?, 'main') i, pragma_index_xinfo(i.name, 'main') x
WHERE i."unique" AND x.key AND x.name IS NOT NULL AND x.coll <> 'BINARY'
"""


def _between(new: NewRows, first: int, last: int) -> NewRows:
    rows = f"(SELECT * FROM {new.sql} WHERE {new.number} >= {first} AND {new.number} < {last})"
    return replace(new, sql=rows)


class SqliteDestination(BaseDestination):
    """A table. Implements `Destination`."""

    traits = Traits(way="arrow → inserts")

    def __init__(self, end: ConnectedEnd[TableDestination]) -> None:
        self.options, self.interval = end.options, end.interval
        self.file = Path(end.address.database).resolve()
        self.connection = connect_file(end.address)
        self.engine = SqliteEngine(self.connection)
        self.engine.rows("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        self.connection.close()

    def occupied(self) -> Path:
        return self.file

    def begin(self, entry: LedgerEntry) -> SqliteLoad:
        turns = table_turns(self.file, self.options.table)
        with turns.await_turn(entry, alone=True):
            turn = turns.take(entry, alone=True)
        try:
            failpoints.reach("during-recovery")
            return SqliteLoad(self, self._created_ledger(), entry, turn)
        except BaseException:
            turn.leave()
            raise

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        return self._created_ledger().find(entry)

    def _created_ledger(self) -> SqlLedger:
        """The ledger, while no writer that is overtaken or gone is at its last transaction."""
        ledger = SqlLedger(self.engine.rows, self.options.table, "main.")
        _begin_immediate(self.engine, self.file)
        ledger.create()
        self.engine.rows("COMMIT")
        return ledger


class SqliteLoad(BaseLoad):
    """One load. Implements `Load`. The connection undoes what is not committed when it is closed."""

    def __init__(
        self, destination: SqliteDestination, ledger: SqlLedger, entry: LedgerEntry, turn: Turn
    ) -> None:
        self.earlier, self.last_cursor = ledger.find(entry), ledger.last_cursor(entry)
        self._options, self._interval = destination.options, destination.interval
        self._file, self._connection, self._engine = (
            destination.file,
            destination.connection,
            destination.engine,
        )
        self._ledger, self._turn = ledger, turn
        self._table = f"main.{identifier(destination.options.table)}"
        self._grown: Sequence[Column] = ()

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._turn.leave()

    def columns(self, scratch: Scratch) -> list[Column] | None:
        return [as_wanted(column) for column in table_columns(self._connection, self._options.table)] or None

    def storable(self, column: Column) -> Column:
        if "\0" in column.name:
            message = f"the name {column.name!r} has a NUL character"
            raise FatalError(message, hint="choose another name with `select`")
        return storable(column)

    def grow(self, columns: Sequence[Column]) -> None:
        self._grown = columns

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """Gather the rows in the temporary database, and bring them over in the transaction that `commit` ends."""
        failpoints.reach("before-staging")
        existing = {row["name"]: row["type"] for row in table_columns(self._connection, self._options.table)}
        definitions = [f"{identifier(c.name)} {existing.get(c.name, c.native)}" for c in rows.columns]
        collations = self._collations()
        staged = [
            f"{definition}{collations.get(column.name, '')}"
            for definition, column in zip(definitions, rows.columns, strict=True)
        ]
        stage = literal(str(scratch.folder / f"{scratch.new_name()}.db"))
        self._engine.rows(f"ATTACH {stage} AS windlass_stage")
        self._engine.rows("PRAGMA windlass_stage.journal_mode = OFF")
        self._engine.rows(f"CREATE TABLE {_STAGE} (windlass_row INTEGER PRIMARY KEY, {', '.join(staged)})")
        new = NewRows(_STAGE, tuple(column.name for column in rows.columns), "windlass_row", first=1)
        self._gather(rows, new, counts, meter)
        _begin_immediate(self._engine, self._file)
        self._prepare(definitions)
        if self._options.mode == "merge":
            merged = quarantine_bad_keys(self._engine, new, self._options.key, rows.refuse)
            self._merge_all(rows, merged, counts)
        else:
            counts.written = self._place_all(rows, new, self._insert)

    def restart(self) -> None:
        self._grown = ()
        if self._connection.in_transaction:
            self._engine.rows("ROLLBACK")
        self._engine.rows("DETACH windlass_stage")

    def commit(self, entry: LedgerEntry) -> None:
        failpoints.reach("before-ledger")
        if not self._connection.in_transaction:
            _begin_immediate(self._engine, self._file)
        self._turn.require()
        self._ledger.record(entry)
        failpoints.reach("after-ledger")
        failpoints.reach("before-commit")
        self._engine.rows("COMMIT")
        failpoints.reach("after-commit")

    def _gather(self, rows: Rows, new: NewRows, counts: Counts, meter: Meter) -> None:
        marks = ", ".join("?" * len(new.names))
        insert = f"INSERT INTO {new.sql} ({new.columns}) VALUES ({marks})"
        with sqlite_errors(self._connection):
            self._connection.execute("BEGIN")
            for batch in rows.batches():
                values = zip(*(stored_values(column) for column in batch.columns), strict=True)
                self._connection.executemany(insert, values)
                counts.written += batch.num_rows
                counts.bytes += batch.nbytes
                meter(batch.num_rows, batch.nbytes)
                failpoints.reach("mid-copy")
            self._connection.execute("COMMIT")

    def _prepare(self, definitions: Sequence[str]) -> None:
        """Make the table, or room in it."""
        for column in self._grown:
            self._engine.rows(
                f"ALTER TABLE {self._table} ADD COLUMN {identifier(column.name)} {column.native}"
            )
        if not table_columns(self._connection, self._options.table):
            key = ", ".join(map(identifier, self._options.key))
            primary = f", PRIMARY KEY ({key})" if key else ""
            self._engine.rows(f"CREATE TABLE {self._table} ({', '.join(definitions)}{primary})")
        elif self._options.mode == "replace":
            self._engine.rows(f"DELETE FROM {self._table}")
        elif self._options.mode == "delete_insert":
            assert self._interval is not None
            delete_interval(self._engine, self._table, str(self._options.interval), self._interval)

    def _merge_all(self, rows: Rows, new: NewRows, counts: Counts) -> None:
        counts.inserted = counts.updated = counts.unchanged = 0

        def merge_some(some: NewRows) -> int:
            done = Counts()
            merge(self._engine, self._table, some, self._options.key, done)
            counts.inserted = (counts.inserted or 0) + (done.inserted or 0)
            counts.updated = (counts.updated or 0) + (done.updated or 0)
            counts.unchanged = (counts.unchanged or 0) + (done.unchanged or 0)
            return done.written

        counts.written = self._place_all(rows, new, merge_some)

    def _place_all(self, rows: Rows, new: NewRows, place: Callable[[NewRows], int]) -> int:
        """Bring in all rows but those that a constraint refuses, which are quarantined. Returns how many went in."""
        last = self._engine.rows(f"SELECT coalesce(max({new.number}), 0) FROM {new.sql}")[0][0]

        def attempt(first: int, last: int) -> int:
            return self._whole(lambda: place(_between(new, first, last)))

        def refused(number: int, error: WindlassError) -> int:
            rows.refuse(self._bad_row(new, number, error), number - new.first)
            return 0

        if not rows.quarantines:
            return attempt(new.first, last + 1)
        return insert_by_halves(new.first, last + 1, attempt, refused)

    def _insert(self, new: NewRows) -> int:
        return self._engine.changed(
            f"INSERT INTO {self._table} ({new.columns}) SELECT {new.columns} FROM {new.sql}"
        )

    def _whole(self, place: Callable[[], int]) -> int:
        """Bring rows in, or nothing of them."""
        self._engine.rows("SAVEPOINT windlass_part")
        try:
            placed = place()
        except WindlassError as exc:
            if not self._connection.in_transaction:  # a full disk has undone all of it: no part may go on
                raise RetryableError(exc.message, hint=exc.hint, code=exc.code) from exc
            self._engine.rows("ROLLBACK TO windlass_part")
            raise
        self._engine.rows("RELEASE windlass_part")
        return placed

    def _collations(self) -> dict[str, str]:
        """How the unique keys of the table compare text, so that keys are the same before they get there."""
        found = self._engine.rows(_COLLATIONS, (self._options.table,))
        return {name: f" COLLATE {identifier(collation)}" for name, collation in found}

    def _bad_row(self, new: NewRows, number: int, error: WindlassError) -> BadRow:
        """The row that a constraint refused. Raises any other error again."""
        name = getattr(error.__cause__, "sqlite_errorname", "")
        if not name.startswith("SQLITE_CONSTRAINT"):
            raise error
        select = f"SELECT {self._engine.record(new.names)} FROM {new.sql} WHERE {new.number} = {number}"
        record = self._engine.read_record(new.names, self._engine.rows(select)[0])
        return BadRow(_REASONS.get(name, Reason.REFUSED), error.message, record=record)


def _begin_immediate(engine: SqliteEngine, file: Path) -> None:
    """Begin the transaction that writes, once others that write to the file are done."""
    waiting = Waiting(file)
    while True:
        try:
            engine.rows("BEGIN IMMEDIATE")
        except InUseError:
            waiting.pause(["another process"])
        else:
            return

"""A table of a DuckDB file as the destination of a copy: the file is attached to the scratch database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from windlass import failpoints, registry
from windlass.connectors.destination import BaseDestination, BaseLoad, Traits
from windlass.connectors.duckdb.database import open_file
from windlass.connectors.duckdb.refusals import refusals
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableDestination
from windlass.connectors.rows import BadRow, Column, Counts, Meter, Rows
from windlass.connectors.scratch import Scratch, duckdb_errors, file_literal, identifier, literal
from windlass.connectors.sql.engine import DuckdbEngine, NewRows
from windlass.connectors.sql.ledger import SqlLedger
from windlass.connectors.sql.merging import delete_interval, merge, quarantine_bad_keys
from windlass.connectors.widening import common_type
from windlass.errors import FatalError
from windlass.ledger import LedgerEntry
from windlass.storage.turns import Turn, Turns
from windlass.turns import InUseError, Waiting

__all__ = ["DuckdbDestination"]


class DuckdbDestination(BaseDestination):
    """A table. Implements `Destination`."""

    traits = Traits(way=f"arrow → {registry.SCRATCH}", query_way=registry.SCRATCH)

    def __init__(self, end: ConnectedEnd[TableDestination]) -> None:
        self.options, self.interval = end.options, end.interval
        self.file = Path(end.address.database)

    def occupied(self) -> Path:
        return self.file.resolve()

    def begin(self, entry: LedgerEntry) -> DuckdbLoad:
        turns = Turns(self.file.resolve(), takes_over=False)  # one process at a time can have the file open
        with turns.await_turn(entry, alone=True):
            turn = turns.take(entry, alone=True)
        try:
            failpoints.reach("during-recovery")
            with self._opened_ledger() as ledger:
                return DuckdbLoad(self, ledger, entry, turn)
        except BaseException:
            turn.leave()
            raise

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        with self._opened_ledger() as ledger:  # which no other process has open, so no writer can commit
            return ledger.find(entry)

    @contextmanager
    def _opened_ledger(self) -> Iterator[SqlLedger]:
        connection = self._opened()

        def execute(sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
            with duckdb_errors():
                return list(connection.execute(sql, list(parameters)).fetchall())

        try:
            ledger = SqlLedger(execute, self.options.table)
            ledger.create()
            yield ledger
        finally:
            connection.close()

    def _opened(self) -> Any:
        """The file, opened once no other process has it open."""
        waiting = Waiting(self.file)
        while True:
            try:
                return open_file(str(self.file))
            except InUseError as exc:
                waiting.pause([exc.message])


class DuckdbLoad(BaseLoad):
    """One load. Implements `Load` and `QueryLoad`.

    The scratch database detaches the file, and so undoes what was not committed.
    """

    def __init__(
        self, destination: DuckdbDestination, ledger: SqlLedger, entry: LedgerEntry, turn: Turn
    ) -> None:
        self.earlier, self.last_cursor = ledger.find(entry), ledger.last_cursor(entry)
        self._options, self._interval = destination.options, destination.interval
        self._file, self._name, self._ledger = destination.file, destination.options.table, ledger
        self._engine: DuckdbEngine | None = None
        self._grown: Sequence[Column] = ()
        self._widened: Sequence[Column] = ()
        self._turn = turn

    def __exit__(self, *_: object) -> None:
        self._turn.leave()

    def columns(self, scratch: Scratch) -> list[Column] | None:
        database = scratch.attach(self._file, writable=True)
        rows = scratch.rows(
            "SELECT column_name, data_type, is_nullable, column_default FROM duckdb_columns() "
            f"WHERE database_name = {literal(database)} AND table_name = {literal(self._name)}"
        )
        columns = [
            Column(
                name,
                kind,
                nullable=nullable,
                required=not nullable and default is None,
                has_default=default is not None,
            )
            for name, kind, nullable, default in rows
        ]
        return columns or None

    def grow(self, columns: Sequence[Column]) -> None:
        self._grown = columns

    def wider(self, column: Column, values: Column) -> Column | None:
        kind = common_type(column.type, values.type)
        return None if kind in (None, column.type) else replace(column, type=str(kind))

    def widen(self, columns: Sequence[Column]) -> None:
        self._widened = columns

    def write_query(
        self, query: str, columns: Sequence[Column], counts: Counts, scratch: Scratch, meter: Meter
    ) -> None:
        engine, table, _ = self._begin(scratch, scratch.rows, columns)
        self._make_room(engine, table)
        self._insert(engine, table, query, counts)
        counts.read = counts.written
        meter(counts.written, 0)

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        new = self._staged(rows, counts, scratch)
        engine, table, made = self._begin(scratch, scratch.output_rows, rows.columns)
        if self._options.mode == "merge":
            new = quarantine_bad_keys(engine, new, self._options.key, rows.refuse)
            if not made:
                new = self._without_refused(engine, table, new, rows)
            merge(engine, table, new, self._options.key, counts)
        else:
            if not made:
                new = self._without_refused(engine, table, new, rows)
            self._make_room(engine, table)
            self._insert(engine, table, f"SELECT {new.columns} FROM {new.sql}", counts)
        meter(counts.written, counts.bytes)

    def restart(self) -> None:
        self._grown = self._widened = ()
        if self._engine is not None:
            self._engine.rows("ROLLBACK")
            self._engine = None

    def commit(self, entry: LedgerEntry) -> None:
        assert self._engine is not None
        failpoints.reach("before-ledger")
        self._turn.require()
        self._ledger.record(entry)
        failpoints.reach("after-ledger")
        failpoints.reach("before-commit")
        self._engine.rows("COMMIT")
        failpoints.reach("after-commit")

    def _begin(
        self, scratch: Scratch, run: Callable[..., list[tuple[Any, ...]]], columns: Sequence[Column]
    ) -> tuple[DuckdbEngine, str, bool]:
        """Begin the transaction; make the table if it is missing. Returns its name, and whether it was made."""
        failpoints.reach("before-staging")
        engine = self._engine = DuckdbEngine(run)
        database = scratch.attach(self._file, writable=True)
        self._ledger.move(run, f"{database}.main.")
        table = f"{database}.main.{identifier(self._name)}"
        found = f"database_name = {literal(database)} AND table_name = {literal(self._name)}"
        missing = not engine.rows(f"SELECT 1 FROM duckdb_tables() WHERE {found}")
        engine.rows("BEGIN")
        if missing:
            key = ", ".join(map(identifier, self._options.key))
            made = ", ".join(f"{identifier(column.name)} {column.type}" for column in columns)
            engine.rows(f"CREATE TABLE {table} ({made}{f', PRIMARY KEY ({key})' if key else ''})")
        for column in self._widened:
            self._widen(engine, table, column)
        for column in self._grown:
            engine.rows(f"ALTER TABLE {table} ADD COLUMN {identifier(column.name)} {column.type}")
        return engine, table, missing

    def _widen(self, engine: DuckdbEngine, table: str, column: Column) -> None:
        try:
            engine.rows(f"ALTER TABLE {table} ALTER {identifier(column.name)} TYPE {column.type}")
        except FatalError as exc:
            message = f"column {column.name!r} cannot be widened to {column.type}: {exc.message}"
            hint = "make the table anew with that type, or load what fits with `on_type_change: keep`"
            raise FatalError(message, hint=hint) from exc

    def _staged(self, rows: Rows, counts: Counts, scratch: Scratch) -> NewRows:
        """The rows in a file of the scratch folder, numbered."""
        query = scratch.reader(rows.batches(), rows.columns)
        file = scratch.folder / f"{scratch.new_name()}.parquet"
        kept = _replaced(rows.columns, "VARCHAR")
        numbered = f"SELECT *{kept}, row_number() OVER () - 1 AS __windlass_row FROM ({query})"
        copy = f"COPY ({numbered}) TO {literal(str(file))} (FORMAT parquet)"
        counts.written = int(scratch.output_rows(copy)[0][0])
        counts.bytes = file.stat().st_size
        names = tuple(column.name for column in rows.columns)
        rows_back = f"SELECT *{_replaced(rows.columns)} FROM read_parquet({file_literal(file)})"
        return NewRows(f"({rows_back})", names, "__windlass_row")

    def _make_room(self, engine: DuckdbEngine, table: str) -> None:
        if self._options.mode == "replace":
            engine.rows(f"DELETE FROM {table}")
        elif self._options.mode == "delete_insert":
            assert self._interval is not None
            delete_interval(engine, table, str(self._options.interval), self._interval)

    def _insert(self, engine: DuckdbEngine, table: str, query: str, counts: Counts) -> None:
        counts.written = engine.changed(f"INSERT INTO {table} BY NAME {query}")
        failpoints.reach("mid-copy")

    def _without_refused(self, engine: DuckdbEngine, table: str, new: NewRows, rows: Rows) -> NewRows:
        """The rows without those that the table would refuse, which are quarantined."""
        bad: dict[int, BadRow] = {}
        stays = self._options.mode in ("append", "merge")
        found = refusals(engine, table, new, stays=stays, key=self._options.key)
        for test, reason, message in found:
            select = (
                f"SELECT {new.number}, {engine.record(new.names)} FROM {new.sql} AS s WHERE {test} ORDER BY 1"
            )
            for number, *values in engine.rows(select):
                record = engine.read_record(new.names, values)
                bad.setdefault(number, BadRow(reason, message, record=record))
        for number in sorted(bad):
            rows.refuse(bad[number], number)
        return engine.without(new, sorted(bad))


_NOT_IN_PARQUET = ("HUGEINT", "UHUGEINT", "BIT", "TIME WITH TIME ZONE", "INTERVAL")
"""Types whose values would be others there: doubles, whole milliseconds, a time without its zone."""


def _replaced(columns: Sequence[Column], kind: str = "") -> str:
    """REPLACE, for behind a star, that casts such columns to a type, or back to their own."""
    casts = [
        f"CAST({identifier(c.name)} AS {kind or c.type}) AS {identifier(c.name)}"
        for c in columns
        if c.type in _NOT_IN_PARQUET
    ]
    return f" REPLACE ({', '.join(casts)})" if casts else ""

"""A DuckDB file as the destination of a copy: one transaction, with the ledger's row in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from windlass import failpoints
from windlass.connectors.duckdb.database import open_file
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.ledger_sql import SqlLedger
from windlass.connectors.options import TableDestination
from windlass.connectors.protocol import (
    BadRow,
    Column,
    Counts,
    Meter,
    Reason,
    Rows,
    Shortcut,
    Source,
)
from windlass.connectors.scratch import Scratch, duckdb_errors, file_literal, identifier, literal
from windlass.errors import RetryableError, WindlassError
from windlass.ledger import LedgerEntry
from windlass.plan.model import Copy

__all__ = ["DuckdbDestination"]


class DuckdbDestination:
    """A table. Implements `Destination`."""

    forbids_nul = False

    def __init__(self, end: ConnectedEnd[TableDestination]) -> None:
        self._file, self._options, self._interval = Path(end.address.database), end.options, end.interval
        self._name = end.options.table
        self._scratch: Scratch | None = None
        self._table = ""
        self._ledger: SqlLedger | None = None
        self._run: Callable[[str], list[tuple[Any, ...]]] | None = None
        self.takes_queries = end.options.mode != "merge"

    def close(self) -> None:
        return  # the scratch database detaches the file, and so undoes what was not committed

    def occupied(self) -> Path:
        return self._file.resolve()

    def begin(self, entry: LedgerEntry) -> LedgerEntry | None:
        with self._opened_ledger() as self._ledger:
            self._ledger.take_over(entry)
            failpoints.reach("during-recovery")
            self._cursor = self._ledger.last_cursor(entry)
            return self._ledger.find(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        with self._opened_ledger() as ledger:  # which no other process has open, so no writer can commit
            return ledger.find(entry)

    @contextmanager
    def _opened_ledger(self) -> Iterator[SqlLedger]:
        connection = open_file(str(self._file))

        def execute(sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
            with duckdb_errors():
                return list(connection.execute(sql, list(parameters)).fetchall())

        try:
            ledger = SqlLedger(execute, self._name)
            ledger.create()
            yield ledger
        finally:
            connection.close()

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return self._cursor

    def shortcut(self, source: Source, copy: Copy) -> Shortcut | None:
        return None

    def columns(self, scratch: Scratch) -> list[Column] | None:
        self._attach(scratch)
        rows = scratch.rows(
            "SELECT column_name, data_type, is_nullable, column_default FROM duckdb_columns() "
            f"WHERE database_name = {literal(self._database)} AND table_name = {literal(self._name)}"
        )
        columns = [
            Column(name, kind, nullable=nullable, required=not nullable and default is None)
            for name, kind, nullable, default in rows
        ]
        return columns or None

    def storable(self, column: Column) -> Column:
        return column

    def path(self, *, query: bool) -> str:
        return "duckdb" if query else "arrow → duckdb"

    def write_query(
        self, query: str, columns: Sequence[Column], counts: Counts, scratch: Scratch, meter: Meter
    ) -> None:
        self._begin(scratch, scratch.rows)
        self._insert(query, columns, counts)
        counts.read = counts.written
        meter(counts.written, 0)

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        query = scratch.reader(rows.batches(), rows.columns)
        file = scratch.folder / f"{scratch.new_name()}.parquet"
        numbered = f"SELECT *, row_number() OVER () - 1 AS __windlass_row FROM ({query})"
        counts.written = int(
            scratch.output_rows(f"COPY ({numbered}) TO {literal(str(file))} (FORMAT parquet)")[0][0]
        )
        counts.bytes = file.stat().st_size
        staged = f"read_parquet({file_literal(file)})"
        self._begin(scratch, scratch.output_rows)
        staged = self._without_refused(rows, staged, counts)
        if self._options.mode == "merge" and self._exists:
            self._merge(staged, rows.columns, counts)
        else:
            names = ", ".join(identifier(column.name) for column in rows.columns)
            self._insert(f"SELECT {names} FROM {staged}", rows.columns, counts)
            if self._options.mode == "merge":
                counts.inserted, counts.updated, counts.unchanged = counts.written, 0, 0
        meter(counts.written, counts.bytes)

    def restart(self) -> None:
        if self._run is not None:
            self._run("ROLLBACK")
            self._run = None

    def commit(self, entry: LedgerEntry) -> None:
        assert self._ledger is not None
        assert self._run is not None
        failpoints.reach("before-ledger")
        self._ledger.record(entry)
        failpoints.reach("after-ledger")
        failpoints.reach("before-commit")
        self._run("COMMIT")
        failpoints.reach("after-commit")

    def explain(self, error: RetryableError) -> WindlassError:
        return error

    # --- the transaction ---

    def _attach(self, scratch: Scratch) -> None:
        self._database = scratch.attach(self._file, writable=True)
        self._table = f"{self._database}.main.{identifier(self._name)}"

    def _begin(self, scratch: Scratch, run: Callable[..., list[tuple[Any, ...]]]) -> None:
        assert self._ledger is not None
        failpoints.reach("before-staging")
        self._run = run
        self._ledger.move(run, f"{self._database}.main.")
        names = run(
            f"SELECT count(*) FROM duckdb_tables() WHERE database_name = {literal(self._database)} "
            f"AND table_name = {literal(self._name)}"
        )
        self._exists = bool(names[0][0])
        run("BEGIN")

    def _insert(self, query: str, columns: Sequence[Column], counts: Counts) -> None:
        assert self._run is not None
        if not self._exists:
            key = (
                f", PRIMARY KEY ({', '.join(map(identifier, self._options.key))})"
                if self._options.key
                else ""
            )
            made = ", ".join(f"{identifier(column.name)} {column.type}" for column in columns)
            self._run(f"CREATE TABLE {self._table} ({made}{key})")
        elif self._options.mode == "replace":
            self._run(f"DELETE FROM {self._table}")
        elif self._options.mode == "delete_insert":
            self._delete_interval()
        counts.written = int(self._run(f"INSERT INTO {self._table} BY NAME {query}")[0][0])
        failpoints.reach("mid-copy")

    def _delete_interval(self) -> None:
        assert self._interval is not None
        assert self._run is not None
        column, (start, end) = identifier(str(self._options.interval)), self._interval
        self._run(
            f"DELETE FROM {self._table} WHERE {column} >= CAST({literal(start.isoformat())} AS TIMESTAMPTZ) "
            f"AND {column} < CAST({literal(end.isoformat())} AS TIMESTAMPTZ)"
        )

    def _merge(self, staged: str, columns: Sequence[Column], counts: Counts) -> None:
        assert self._run is not None
        key = self._options.key
        on = " AND ".join(f"d.{identifier(name)} = s.{identifier(name)}" for name in key)
        others = [column.name for column in columns if column.name not in key]
        names = ", ".join(identifier(column.name) for column in columns)
        differs = " OR ".join(
            f"d.{identifier(name)} IS DISTINCT FROM s.{identifier(name)}" for name in others
        )
        counts.updated = 0
        if others:
            changes = ", ".join(f"{identifier(name)} = s.{identifier(name)}" for name in others)
            update = f"UPDATE {self._table} AS d SET {changes} FROM {staged} AS s WHERE {on} AND ({differs})"
            counts.updated = int(self._run(update)[0][0])
        insert = (
            f"INSERT INTO {self._table} BY NAME SELECT {names} FROM {staged} AS s "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self._table} AS d WHERE {on})"
        )
        counts.inserted = int(self._run(insert)[0][0])
        counts.unchanged = counts.written - counts.updated - counts.inserted

    # --- rows that the table would refuse: DuckDB has no savepoints, so they are found beforehand ---

    def _without_refused(self, rows: Rows, staged: str, counts: Counts) -> str:
        assert self._run is not None
        tests = list(self._refusals(staged))
        if not tests:
            return staged
        bad: dict[int, BadRow] = {}
        record = ", ".join(f"{identifier(c.name)} := {identifier(c.name)}" for c in rows.columns)
        for test, reason, message in tests:
            found = self._run(
                f"SELECT __windlass_row, to_json(struct_pack({record})) FROM {staged} AS s WHERE {test} ORDER BY 1"
            )
            for number, text in found:
                bad.setdefault(number, BadRow(reason, message, record=json.loads(text)))
        for number in sorted(bad):
            rows.refuse(bad[number], number)
        counts.written -= len(bad)
        numbers = ", ".join(map(str, bad)) or "-1"
        return f"(SELECT * FROM {staged} WHERE __windlass_row NOT IN ({numbers}))"

    def _refusals(self, staged: str) -> list[tuple[str, Reason, str]]:
        """SQL that is true for a staged row `s` that the table would refuse, why, and what to say."""
        if self._options.mode == "merge":
            return self._bad_keys(self._options.key, staged, "the key")
        assert self._run is not None
        constraints = self._run(
            "SELECT constraint_type, constraint_column_names, expression FROM duckdb_constraints() "
            f"WHERE database_name = {literal(self._database)} AND table_name = {literal(self._name)}"
        )
        tests: list[tuple[str, Reason, str]] = []
        for kind, names, expression in constraints:
            if kind == "CHECK":
                tests.append(
                    (f"NOT ({expression})", Reason.CHECK_VIOLATION, f"violates CHECK ({expression})")
                )
            elif kind in ("PRIMARY KEY", "UNIQUE"):
                tests += self._taken_keys(names, staged)
        return tests

    def _bad_keys(self, key: Sequence[str], staged: str, what: str) -> list[tuple[str, Reason, str]]:
        names = ", ".join(map(identifier, key))
        null = " OR ".join(f"s.{identifier(name)} IS NULL" for name in key)
        twice = f"({names}) IN (SELECT ({names}) FROM {staged} GROUP BY {names} HAVING count(*) > 1)"
        shown = ", ".join(key)
        return [
            (f"({null})", Reason.IS_NULL, f"{what} is NULL ({shown})"),
            (twice, Reason.DUPLICATE_KEY, f"{what} occurs more than once ({shown})"),
        ]

    def _taken_keys(self, key: Sequence[str], staged: str) -> list[tuple[str, Reason, str]]:
        """Rows whose unique key an earlier row has, or the table already."""
        same = " AND ".join(f"o.{identifier(name)} = s.{identifier(name)}" for name in key)
        shown = f"the unique key ({', '.join(key)}) is taken"
        earlier = f"EXISTS (SELECT 1 FROM {staged} AS o WHERE {same} AND o.__windlass_row < s.__windlass_row)"
        tests = [(earlier, Reason.UNIQUE_VIOLATION, f"{shown} by an earlier row")]
        if self._options.mode == "append":
            tests.append(
                (f"EXISTS (SELECT 1 FROM {self._table} AS o WHERE {same})", Reason.UNIQUE_VIOLATION, shown)
            )
        return tests

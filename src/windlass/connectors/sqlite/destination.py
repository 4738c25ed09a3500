"""SQLite as the destination of a copy.

Rows are gathered in a temporary database of their own, so the file is locked only for the last, short
transaction, which brings them over together with the row of the ledger. Readers see the old rows or the
new ones. A writer that was overtaken finds a higher number than its own, and gives up.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windlass import failpoints
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.halving import insert_by_halves
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
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.connectors.sqlite.database import connect_file, declared_type, sqlite_errors, table_columns
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.plan.model import Copy

if TYPE_CHECKING:
    import pyarrow as pa
from windlass.ledger import LedgerEntry

__all__ = ["SqliteDestination"]

_STAGE = "windlass_stage.rows"

_STORED_AS = {
    "FLOAT": "DOUBLE",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
}
_DECLARED = {  # what SQLite has no affinity for is text, and says what it means in front of TEXT
    "BOOLEAN": "BOOLEAN",
    "DOUBLE": "REAL",
    "BLOB": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "JSON": "JSON TEXT",
    "VARCHAR": "TEXT",
}
_LAST = {"DATE": "9999-12-31", "TIME": "23:59:59.999999"}
_KEPT_AS_IS = re.compile(r"(U?(TINY|SMALL)INT|U?INTEGER|BIGINT|DECIMAL\(.*\)|TIMESTAMP.*)")
_REASONS = {
    "SQLITE_CONSTRAINT_UNIQUE": Reason.UNIQUE_VIOLATION,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Reason.UNIQUE_VIOLATION,
    "SQLITE_CONSTRAINT_NOTNULL": Reason.IS_NULL,
    "SQLITE_CONSTRAINT_CHECK": Reason.CHECK_VIOLATION,
    "SQLITE_CONSTRAINT_FOREIGNKEY": Reason.FOREIGN_KEY_VIOLATION,
}


class SqliteDestination:
    """A table. Implements `Destination`."""

    takes_queries = False
    forbids_nul = False

    def __init__(self, end: ConnectedEnd[TableDestination]) -> None:
        self._options, self._interval = end.options, end.interval
        self._table = identifier(end.options.table)
        self._file = Path(end.address.database).resolve()
        self._connection = connect_file(end.address)
        self._rows: Rows | None = None
        self._ledger = SqlLedger(self._run, end.options.table, "main.")
        self._names: list[str] = []
        self._definitions: list[str] = []
        with sqlite_errors(self._connection):
            self._connection.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        self._connection.close()

    def occupied(self) -> Path:
        return self._file

    def begin(self, entry: LedgerEntry) -> LedgerEntry | None:
        self._run("BEGIN IMMEDIATE")
        self._ledger.create()
        self._ledger.take_over(entry)
        failpoints.reach("during-recovery")
        self._run("COMMIT")
        return self._ledger.find(entry)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        self._run("BEGIN IMMEDIATE")  # no writer is at its last transaction
        self._ledger.create()
        self._run("COMMIT")
        return self._ledger.find(entry)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        return self._ledger.last_cursor(entry)

    def shortcut(self, source: Source, copy: Copy) -> Shortcut | None:
        return None

    def columns(self, scratch: Scratch) -> list[Column] | None:
        found = table_columns(self._connection, self._options.table)
        return [_as_wanted(column) for column in found] or None

    def storable(self, column: Column) -> Column:
        kind = _STORED_AS.get(column.type, column.type)
        if kind not in _DECLARED and not _KEPT_AS_IS.fullmatch(kind):
            kind = "VARCHAR"
        return replace(column, type=kind, native=_definition(kind), **_limits(kind))

    def path(self, *, query: bool) -> str:
        return "arrow → inserts"

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """Gather the rows in the temporary database. They are brought over by `commit`."""
        failpoints.reach("before-staging")
        self._rows = rows
        self._names = [column.name for column in rows.columns]
        existing = {row["name"]: row["type"] for row in table_columns(self._connection, self._options.table)}
        self._definitions = [f"{identifier(c.name)} {existing.get(c.name, c.native)}" for c in rows.columns]
        self._run(f"ATTACH {literal(str(scratch.folder / f'{scratch.new_name()}.db'))} AS windlass_stage")
        self._run("PRAGMA windlass_stage.journal_mode = OFF")
        self._run(f"CREATE TABLE {_STAGE} (windlass_row INTEGER PRIMARY KEY, {', '.join(self._definitions)})")
        marks = ", ".join("?" * len(self._names))
        insert = f"INSERT INTO {_STAGE} ({self._columns()}) VALUES ({marks})"
        with sqlite_errors(self._connection):
            self._connection.execute("BEGIN")
            for batch in rows.batches():
                self._connection.executemany(insert, zip(*(_values(c) for c in batch.columns), strict=True))
                counts.written += batch.num_rows
                counts.bytes += batch.nbytes
                meter(batch.num_rows, batch.nbytes)
                failpoints.reach("mid-copy")
            self._connection.execute("COMMIT")
        self._settle(counts)

    def write_query(self, *_: object) -> None:
        raise FatalError("a table of SQLite is no part of the scratch database")

    def restart(self) -> None:
        if self._connection.in_transaction:
            self._run("ROLLBACK")
        self._run("DETACH windlass_stage")

    def commit(self, entry: LedgerEntry) -> None:
        failpoints.reach("before-ledger")
        if not self._connection.in_transaction:
            self._run("BEGIN IMMEDIATE")
        self._ledger.record(entry)
        failpoints.reach("after-ledger")
        failpoints.reach("before-commit")
        self._run("COMMIT")
        failpoints.reach("after-commit")

    def explain(self, error: RetryableError) -> WindlassError:
        return error

    # --- the last transaction ---

    def _settle(self, counts: Counts) -> None:
        """Bring the gathered rows over, in the transaction that `commit` ends."""
        self._run("BEGIN IMMEDIATE")
        made = not table_columns(self._connection, self._options.table)
        if made:
            key = (
                f", PRIMARY KEY ({', '.join(map(identifier, self._options.key))})"
                if self._options.key
                else ""
            )
            self._run(f"CREATE TABLE main.{self._table} ({', '.join(self._definitions)}{key})")
        if self._options.mode == "replace":
            self._run(f"DELETE FROM main.{self._table}")
        elif self._options.mode == "delete_insert":
            self._delete_interval()
        if self._options.mode == "merge":
            self._merge(counts)
        else:
            counts.written = self._insert_all()

    def _insert_all(self) -> int:
        assert self._rows is not None
        last = self._run(f"SELECT coalesce(max(windlass_row), 0) FROM {_STAGE}")[0][0]
        if not self._rows.sets_aside:
            return self._insert(1, last + 1)
        return insert_by_halves(1, last + 1, self._insert, self._refused)

    def _insert(self, first: int, last: int) -> int:
        self._run("SAVEPOINT windlass_part")
        try:
            with sqlite_errors(self._connection):
                cursor = self._connection.execute(
                    f"INSERT INTO main.{self._table} ({self._columns()}) SELECT {self._columns()} FROM {_STAGE} "
                    f"WHERE windlass_row >= {first} AND windlass_row < {last}"
                )
        except WindlassError:
            self._run("ROLLBACK TO windlass_part")
            raise
        self._run("RELEASE windlass_part")
        return cursor.rowcount

    def _refused(self, number: int, error: WindlassError) -> int:
        name = getattr(error.__cause__, "sqlite_errorname", "")
        if not name.startswith("SQLITE_CONSTRAINT"):
            raise error
        assert self._rows is not None
        reason = _REASONS.get(name, Reason.REFUSED)
        self._rows.refuse(BadRow(reason, error.message, record=self._record(number)), number - 1)
        return 0

    def _merge(self, counts: Counts) -> None:
        self._set_bad_keys_aside()
        key = self._options.key
        on = " AND ".join(f"d.{identifier(name)} = s.{identifier(name)}" for name in key)
        others = [name for name in self._names if name not in key]
        total = self._run(f"SELECT count(*) FROM {_STAGE}")[0][0]
        counts.updated = 0
        if others:
            changes = ", ".join(f"{identifier(name)} = s.{identifier(name)}" for name in others)
            differs = " OR ".join(f"d.{identifier(name)} IS NOT s.{identifier(name)}" for name in others)
            counts.updated = self._changed(
                f"UPDATE main.{self._table} AS d SET {changes} FROM {_STAGE} AS s WHERE {on} AND ({differs})"
            )
        counts.inserted = self._changed(
            f"INSERT INTO main.{self._table} ({self._columns()}) SELECT {self._columns()} FROM {_STAGE} AS s "
            f"WHERE NOT EXISTS (SELECT 1 FROM main.{self._table} AS d WHERE {on})"
        )
        counts.written, counts.unchanged = total, total - counts.updated - counts.inserted

    def _set_bad_keys_aside(self) -> None:
        """Rows whose key is NULL or occurs more than once: which of them should win?"""
        key = ", ".join(map(identifier, self._options.key))
        null = " OR ".join(f"{identifier(name)} IS NULL" for name in self._options.key)
        bad = self._run(
            f"SELECT windlass_row, {null} FROM (SELECT *, count(*) OVER (PARTITION BY {key}) AS n FROM {_STAGE}) "
            f"WHERE {null} OR n > 1 ORDER BY 1"
        )
        for number, is_null in bad:
            record = self._record(number)
            shown = ", ".join(f"{name}={record[name]!r}" for name in self._options.key)
            row = BadRow(
                Reason.DUPLICATE_KEY,
                f"the key occurs more than once ({shown})",
                self._options.key[0],
                record=record,
            )
            if is_null:
                row = BadRow(
                    Reason.IS_NULL, f"the key is NULL ({shown})", self._options.key[0], record=record
                )
            assert self._rows is not None
            self._rows.refuse(row, number - 1)
            self._run(f"DELETE FROM {_STAGE} WHERE windlass_row = {number}")

    def _delete_interval(self) -> None:
        assert self._interval is not None
        start, end = (literal(moment.strftime("%Y-%m-%d %H:%M:%S")) for moment in self._interval)
        moment = f"strftime('%Y-%m-%d %H:%M:%S', {identifier(str(self._options.interval))})"
        self._run(f"DELETE FROM main.{self._table} WHERE {moment} >= {start} AND {moment} < {end}")

    # --- small things ---

    def _run(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with sqlite_errors(self._connection):
            return self._connection.execute(sql, tuple(parameters)).fetchall()

    def _changed(self, sql: str) -> int:
        with sqlite_errors(self._connection):
            return self._connection.execute(sql).rowcount

    def _columns(self) -> str:
        return ", ".join(map(identifier, self._names))

    def _record(self, number: int) -> dict[str, Any]:
        row = self._run(f"SELECT {self._columns()} FROM {_STAGE} WHERE windlass_row = {number}")[0]
        values = (value.hex() if isinstance(value, bytes) else value for value in row)
        return dict(zip(self._names, values, strict=True))


def _as_wanted(column: sqlite3.Row) -> Column:
    kind = declared_type(column["type"])
    is_rowid = column["pk"] == 1 and column["type"].upper() == "INTEGER"
    return Column(
        column["name"],
        kind,
        nullable=not column["notnull"],
        native=column["type"],
        **_limits(kind),
        required=bool(column["notnull"]) and column["dflt_value"] is None and not is_rowid,
        generated=column["hidden"] in (2, 3),
    )


def _limits(kind: str) -> dict[str, Any]:
    """What SQLite would store as something else: NaN is NULL, and dates are of the years 0 to 9999."""
    if kind == "TIMESTAMP_NS":  # has fewer years than that
        return {"finite": True}
    if kind.startswith(("DATE", "TIMESTAMP")):
        return {
            "finite": True,
            "earliest": "0001-01-01 (BC)",
            "latest": _LAST.get(kind, "9999-12-31 23:59:59.999999"),
        }
    return {"forbids_nan": kind == "DOUBLE", "latest": _LAST.get(kind)}


def _definition(kind: str) -> str:
    """The declared type of a new column."""
    if kind in _DECLARED:
        return _DECLARED[kind]
    if kind.startswith("DECIMAL"):
        return kind.replace("DECIMAL", "DECIMAL TEXT")
    return "TIMESTAMP" if kind.startswith("TIMESTAMP") else "INTEGER"


def _values(column: pa.Array) -> list[Any]:
    """The values of a column as SQLite stores them: exact, and times in ISO 8601."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        column = column.cast(pa.string())
        if kind.unit in ("ms", "us", "ns"):
            column = pc.replace_substring_regex(column, r"\.?0+(Z?)$", r"\1")  # a fraction of zeros
    elif pa.types.is_date(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values

"""SQL on SQLite, for `sql` and `check` tasks and for init files, and what the two ends share."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from windlass.connections import Address
from windlass.connectors.database import SqlResult
from windlass.errors import Code, FatalError, RetryableError, did_you_mean
from windlass.files import is_full
from windlass.turns import InUseError

__all__ = ["SqliteDatabase", "connect_file", "sqlite_errors", "table_columns", "tables"]

_BUSY_SECONDS = 30.0


class SqliteDatabase:
    """A connection. Implements `Database`."""

    def __init__(self, address: Address) -> None:
        self._connection = connect_file(address)

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        with sqlite_errors(self._connection):
            before = self._connection.total_changes
            try:
                self._connection.executescript(
                    f"BEGIN IMMEDIATE;{script}\n;COMMIT" if transaction else script
                )
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            return SqlResult(changed=self._connection.total_changes - before)

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        with sqlite_errors(self._connection):
            cursor = self._connection.execute(sql)
            rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
            return SqlResult(tuple(column[0] for column in cursor.description or ()), tuple(rows))

    def tables(self) -> list[str]:
        return tables(self._connection)

    def close(self) -> None:
        self._connection.close()


def connect_file(address: Address) -> sqlite3.Connection:
    """Open the database file, in autocommit mode: every transaction here is written out."""
    file = Path(address.database)
    if address.database != ":memory:" and not file.parent.is_dir():
        raise FatalError(
            f"there is no folder {file.parent} for the SQLite file", hint=f"see {address.origin}"
        )
    try:
        return sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as exc:
        raise FatalError(f"cannot open the SQLite file {file}: {exc}") from exc


def tables(connection: sqlite3.Connection) -> list[str]:
    """The names of the tables and views that are not SQLite's or windlass's own."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
    return [name for (name,) in rows if not name.startswith(("sqlite_", "_windlass"))]


def table_columns(connection: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    """`PRAGMA table_xinfo`: name, type, notnull, dflt_value, pk, hidden (2 and 3: generated). Empty without table."""
    cursor = connection.execute("SELECT * FROM pragma_table_xinfo(?, 'main')", (table,))
    cursor.row_factory = sqlite3.Row
    return cursor.fetchall()


@contextmanager
def sqlite_errors(connection: sqlite3.Connection) -> Iterator[None]:
    """Turn SQLite's exceptions into ours."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise _translated(connection, exc) from exc
    except sqlite3.Error as exc:
        raise FatalError(str(exc)) from exc


def _translated(connection: sqlite3.Connection, exc: sqlite3.OperationalError) -> FatalError | RetryableError:
    message = str(exc)
    if missing := re.match(r"no such table: (?:main\.)?(.+)", message):
        hint = did_you_mean(missing[1], tables(connection)) or "the database has no tables"
        return FatalError(f"there is no table {missing[1]!r}", hint=hint, code=Code.NO_TABLE)
    name = getattr(exc, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return InUseError(f"the SQLite file {_files(connection)[0]} is locked by another process")
    if name.startswith("SQLITE_FULL"):
        hint = "free some space and try again"
        where = f"cannot write {_without_space(connection)}: no space left on the disk"
        return RetryableError(where, hint=hint, code=Code.DISK_FULL)
    if name.startswith("SQLITE_IOERR"):  # a full quota, a share that is away
        return RetryableError(f"cannot use {_without_space(connection)}: {message}")
    return FatalError(message)


def _without_space(connection: sqlite3.Connection) -> str:
    """Which file it was: SQLite does not say. A copy attaches another one, where rows wait, on a disk of its own."""
    files = _files(connection)
    return " or ".join([file for file in files if is_full(Path(file).parent)] or files)


def _files(connection: sqlite3.Connection) -> list[str]:
    """The files of the databases, the main one first, which SQLite knows without looking at the disk."""
    found = [str(row[2]) for row in connection.execute("PRAGMA database_list") if row[2]]
    return found or ["a database in memory"]

"""The SQLite file of a project's history: connections and transactions, and its errors as ours.

Each transaction has a connection of its own, unless the file is kept open. Whoever has it open last moves what is in the WAL
into the file, which takes longer than most transactions.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from windlass.errors import Code, FatalError, RetryableError
from windlass.files import is_full

__all__ = ["Database"]

_BUSY_SECONDS = 30.0


class Database:
    """One file. From any thread; one that is kept open is used by one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: sqlite3.Connection | None = None
        self._which: tuple[int, int] | None = None
        self._using = threading.RLock()

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Let all that happens meanwhile use one connection."""
        with self._translated():
            self._kept = self._opened()
        self._which = self._there()
        try:
            yield
        finally:
            with self._using:
                kept, self._kept = self._kept, None
            with suppress(sqlite3.Error):  # all that was saved is there already
                kept.close()

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A connection. Raises FatalError and RetryableError."""
        if self._kept is not None and self._which == self._there():
            with self._using, self._translated():
                if self._kept is not None:
                    yield self._kept
                    return
        with self._translated():
            connection = self._opened()
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection that writes all or nothing. Raises FatalError and RetryableError."""
        with self.connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _there(self) -> tuple[int, int] | None:
        """Which file it is: what is kept open may have been removed, or have another in its place."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise self._as_ours(exc) from exc

    def _as_ours(self, exc: sqlite3.Error) -> FatalError | RetryableError:
        file, code = self._file, getattr(exc, "sqlite_errorcode", 0)
        message = f"cannot use {file}: {exc}"
        if code == sqlite3.SQLITE_FULL or (code & 0xFF == sqlite3.SQLITE_IOERR and is_full(file.parent)):
            return RetryableError(message, hint="free some space and try again", code=Code.DISK_FULL)
        if not file.parent.is_dir():
            hint = "somebody removed it while the run was going; what the run did to its destinations stays"
            return FatalError(f"{file.parent} is gone", hint=hint, code=Code.STATE)
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            hint = f"it only remembers past runs, and no load depends on it: remove {file} to begin anew"
            return FatalError(message, hint=hint, code=Code.STATE)
        return FatalError(message, hint=f"see that this user may write {file}", code=Code.STATE)

"""The ledger of the databases that live in a file: `_windlass_loads` in plain SQL.

Whose turn it is at such a file, files beside it tell: see `storage/turns.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeAlias

from windlass.ledger import LONG_MARK, LedgerEntry, commit_time

__all__ = ["SqlLedger"]

Execute: TypeAlias = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]

_NAMES = [field.name for field in fields(LedgerEntry)]
_KEY = ("pipeline", "task", "run_key", "part", "destination")


class SqlLedger:
    """The ledger for one table. `prefix` is the database that it is in, such as `main.`."""

    def __init__(self, execute: Execute, destination: str, prefix: str = "") -> None:
        self._destination = destination
        self.move(execute, prefix)

    def move(self, execute: Execute, prefix: str) -> None:
        """Go on over another connection to the same database."""
        self._execute = execute
        self._loads = f"{prefix}_windlass_loads"

    def create(self) -> None:
        """Make the table, if it is not there."""
        integers = ("rows_read", "rows_written", "rows_quarantined")
        columns = ", ".join(f"{name} {'BIGINT' if name in integers else 'TEXT'}" for name in _NAMES)
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {self._loads} ({columns}, destination TEXT, PRIMARY KEY ({', '.join(_KEY)}))",
            (),
        )

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The committed entry of the same load."""
        where = " AND ".join(f"{name} = ?" for name in _KEY)
        key = (*entry.key, self._destination)
        rows = self._execute(f"SELECT {', '.join(_NAMES)} FROM {self._loads} WHERE {where}", key)
        return LedgerEntry(*rows[0]) if rows else None

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        """The cursor of the latest load of the same pipeline and task into this destination."""
        rows = self._execute(
            f'SELECT "cursor" FROM {self._loads} WHERE pipeline = ? AND task = ? AND destination = ? '
            'AND "cursor" IS NOT NULL ORDER BY committed_at DESC LIMIT 1',
            (entry.pipeline, entry.task, self._destination),
        )
        return str(rows[0][0]) if rows else None

    def record(self, entry: LedgerEntry) -> None:
        """Write the entry within the data's transaction."""
        if entry.is_how_far:
            self._drop_long_mark(entry)
        values = {name: getattr(entry, name) for name in _NAMES}
        values["committed_at"] = commit_time(self._latest_commit(entry))
        marks = ", ".join("?" * (len(_NAMES) + 1))
        self._execute(
            f"INSERT OR REPLACE INTO {self._loads} ({', '.join(_NAMES)}, destination) VALUES ({marks})",
            (*values.values(), self._destination),
        )

    def _latest_commit(self, entry: LedgerEntry) -> str | None:
        latest: str | None = self._execute(
            f"SELECT max(committed_at) FROM {self._loads} WHERE pipeline = ? AND task = ? AND destination = ?",
            (entry.pipeline, entry.task, self._destination),
        )[0][0]
        return latest

    def _drop_long_mark(self, entry: LedgerEntry) -> None:
        """Forget how far the loads before this one came, where that is long: only the latest is ever asked for."""
        self._execute(
            f'UPDATE {self._loads} SET "cursor" = NULL WHERE pipeline = ? AND task = ? AND destination = ? '
            f'AND length("cursor") > {LONG_MARK}',
            (entry.pipeline, entry.task, self._destination),
        )

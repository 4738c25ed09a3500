"""The ledger of the databases that live in a file: `_windlass_loads` and `_windlass_writers` in plain SQL.

See `connectors/postgres/writing/ledger.py` for what they are for; a file needs no sessions to be ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeAlias

from windlass.ledger import LedgerEntry, fenced

__all__ = ["SqlLedger"]

Execute: TypeAlias = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]

_NAMES = [field.name for field in fields(LedgerEntry)]
_KEY = ("pipeline", "task", "run_key", "part", "destination")


class SqlLedger:
    """The ledger for one table. `prefix` is the database that it is in, such as `main.`."""

    def __init__(self, execute: Execute, destination: str, prefix: str = "") -> None:
        self._destination = destination
        self._number = 0
        self.move(execute, prefix)

    def move(self, execute: Execute, prefix: str) -> None:
        """Go on over another connection to the same database."""
        self._execute = execute
        self._loads, self._writers = f"{prefix}_windlass_loads", f"{prefix}_windlass_writers"

    def create(self) -> None:
        """Make the tables, if they are not there."""
        integers = ("rows_read", "rows_written", "rows_quarantined")
        columns = ", ".join(f"{name} {'BIGINT' if name in integers else 'TEXT'}" for name in _NAMES)
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {self._loads} ({columns}, destination TEXT, PRIMARY KEY ({', '.join(_KEY)}))",
            (),
        )
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {self._writers} (destination TEXT PRIMARY KEY, number BIGINT, writer TEXT)",
            (),
        )

    def take_over(self, entry: LedgerEntry) -> None:
        """Become the newest writer. Belongs into a transaction of its own."""
        writer = f"{entry.pipeline}.{entry.task} {entry.run_key} {entry.load_id}"
        self._execute(
            f"INSERT INTO {self._writers} VALUES (?, 1, ?) "
            "ON CONFLICT (destination) DO UPDATE SET number = number + 1, writer = excluded.writer",
            (self._destination, writer),
        )
        self._number = self._current()

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
        """Write the entry within the data's transaction. Raises FencedError when another took over."""
        if self._current() != self._number:
            raise fenced(self._destination)
        values = {name: getattr(entry, name) for name in _NAMES}
        values["committed_at"] = datetime.now(UTC).isoformat()
        marks = ", ".join("?" * (len(_NAMES) + 1))
        self._execute(
            f"INSERT OR REPLACE INTO {self._loads} ({', '.join(_NAMES)}, destination) VALUES ({marks})",
            (*values.values(), self._destination),
        )

    def _current(self) -> int:
        rows = self._execute(
            f"SELECT number FROM {self._writers} WHERE destination = ?", (self._destination,)
        )
        return int(rows[0][0])

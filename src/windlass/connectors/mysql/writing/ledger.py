"""`_windlass_loads` and `_windlass_turns`, in the database of the table that is loaded.

A load's row is committed with its data, so whoever starts the same load again finds it. Where a table takes the place of
another one, which no transaction can do, the row of the turn says so before; see `swapping.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from windlass.connectors.mysql.session import Session
from windlass.connectors.scratch import identifier, literal
from windlass.ledger import LONG_MARK, LedgerEntry, commit_time, fenced

__all__ = ["Ledger", "Writer"]

_NAMES = [field.name for field in fields(LedgerEntry)]
_COUNTS = ("rows_read", "rows_written", "rows_quarantined")
_OPTIONS = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


@dataclass(frozen=True)
class Writer:
    """The latest writer of a table: which load, in which session, and what it was about to commit by a RENAME."""

    entry: LedgerEntry
    session: int
    swap: LedgerEntry | None


class Ledger:
    """The ledger for one table."""

    def __init__(self, session: Session, schema: str, table: str) -> None:
        self._session, self.destination = session, f"{schema}.{table}"
        self._loads, self._turns = (
            f"{identifier(schema)}.{identifier(name)}" for name in ("_windlass_loads", "_windlass_turns")
        )

    def create(self) -> None:
        """Make the tables, if they are not there."""
        columns = ", ".join(f"{identifier(n)} {'BIGINT' if n in _COUNTS else 'LONGTEXT'}" for n in _NAMES)
        self._session.execute(
            f"CREATE TABLE IF NOT EXISTS {self._loads} (id CHAR(64) CHARACTER SET ascii PRIMARY KEY, "
            f"destination VARCHAR(200), {columns}, KEY (destination)) {_OPTIONS}"
        )
        self._session.execute(
            f"CREATE TABLE IF NOT EXISTS {self._turns} (destination VARCHAR(200) PRIMARY KEY, load_id VARCHAR(100), "
            f"session BIGINT, entry LONGTEXT, swap LONGTEXT) {_OPTIONS}"
        )

    # --- loads ---

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The committed entry of the same load."""
        rows = self._session.rows(f"SELECT {_listed()} FROM {self._loads} WHERE id = {self._id(entry)}")
        return LedgerEntry(*rows[0]) if rows else None

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        """The cursor of the latest load of the same pipeline and task into this table."""
        found = self._session.value(
            f'SELECT "cursor" FROM {self._loads} WHERE {self._of_task(entry)} AND "cursor" IS NOT NULL '
            "ORDER BY committed_at DESC LIMIT 1"
        )
        return None if found is None else str(found)

    def record(self, entry: LedgerEntry) -> None:
        """Write the entry, within the transaction."""
        if entry.is_how_far:  # only the latest is ever asked for
            long = f'AND CHAR_LENGTH("cursor") > {LONG_MARK}'
            self._session.execute(
                f'UPDATE {self._loads} SET "cursor" = NULL WHERE {self._of_task(entry)} {long}'
            )
        latest = self._session.value(
            f"SELECT max(committed_at) FROM {self._loads} WHERE {self._of_task(entry)}"
        )
        values = {**asdict(entry), "committed_at": commit_time(None if latest is None else str(latest))}
        self._session.execute(
            f"REPLACE INTO {self._loads} (id, destination, {_listed()}) VALUES ({self._id(entry)}, "
            f"{literal(self.destination)}, {', '.join(literal(values[name]) for name in _NAMES)})"
        )

    # --- whose turn it is ---

    def writer(self) -> Writer | None:
        """The latest writer."""
        rows = self._session.rows(f"SELECT entry, session, swap FROM {self._turns} WHERE {self._at()}")
        if not rows:
            return None
        entry, session, swap = rows[0]
        return Writer(_entry(entry), int(session), None if swap is None else _entry(swap))

    def take(self, entry: LedgerEntry) -> None:
        """Be the latest writer."""
        values = (self.destination, entry.load_id, _json(entry))
        self._session.execute(
            f"REPLACE INTO {self._turns} (destination, load_id, entry, session) "
            f"VALUES ({', '.join(map(literal, values))}, CONNECTION_ID())"
        )

    def require_turn(self, entry: LedgerEntry) -> None:
        """Within the transaction: raise FencedError when somebody else is the latest writer."""
        own = f"{self._at()} AND load_id = {literal(entry.load_id)}"
        if not self._session.rows(f"SELECT 1 FROM {self._turns} WHERE {own} FOR UPDATE"):
            raise fenced(self.destination)

    def note_swap(self, swap: LedgerEntry | None) -> None:
        """Within the transaction: say what a RENAME will commit; None when it is done, or will not be."""
        value = "NULL" if swap is None else literal(_json(swap))
        self._session.execute(f"UPDATE {self._turns} SET swap = {value} WHERE {self._at()}")

    def _at(self) -> str:
        return f"destination = {literal(self.destination)}"

    def _of_task(self, entry: LedgerEntry) -> str:
        same = f"pipeline = {literal(entry.pipeline)} AND task = {literal(entry.task)}"
        return f"{self._at()} AND {same}"

    def _id(self, entry: LedgerEntry) -> str:
        key = json.dumps([*entry.key, self.destination])
        return literal(hashlib.sha256(key.encode()).hexdigest())


def _listed(names: Sequence[str] = _NAMES) -> str:
    return ", ".join(map(identifier, names))


def _json(entry: LedgerEntry) -> str:
    return json.dumps(asdict(entry))


def _entry(text: str) -> LedgerEntry:
    return LedgerEntry(**json.loads(text))

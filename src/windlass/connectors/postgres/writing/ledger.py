"""`_windlass_loads`: what was loaded into a table, in the schema of the table.

A load's row is committed with its data, so whoever starts the same load again finds it. Who may load now is in
`turns.py`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.writing.turns import MAY_END_OTHERS, NUMBER, TURNS, Turn, session_of
from windlass.connectors.scratch import identifier, literal
from windlass.errors import FencedError, RetryableError
from windlass.ledger import LONG_MARK, LedgerEntry

__all__ = ["Ledger"]

_SESSION_END, _POLL = 10.0, 0.05


class Ledger:
    """The ledger for one load into one table."""

    def __init__(self, session: Session, schema: str, table: str, entry: LedgerEntry) -> None:
        self._session, self._schema = session, schema
        self._loads = f"{identifier(schema)}._windlass_loads"
        self._turns = f"{identifier(schema)}._windlass_turns"
        self._destination = f"{schema}.{table}"
        self.turn = Turn(session, self._turns, self._destination, entry)

    def create(self) -> None:
        """Make the tables, if they are not there."""
        if self._is_there():
            return
        # CREATE TABLE IF NOT EXISTS is not safe against another session doing the same
        self._session.execute(
            f"BEGIN; SELECT pg_advisory_xact_lock(hashtext({literal(self._loads)}));"
            f"CREATE TABLE IF NOT EXISTS {self._loads} ({_LOADS});"
            f"CREATE INDEX IF NOT EXISTS _windlass_loads_latest ON {self._loads} ({_LATEST}) WHERE cursor IS NOT NULL;"
            f"CREATE TABLE IF NOT EXISTS {self._turns} ({TURNS}); COMMIT"
        )

    def _is_there(self) -> bool:
        sql = "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL"
        return bool(self._session.value(sql, self._loads, self._turns))

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The committed entry of the same load."""
        row = self._session.row(f"SELECT * FROM {self._loads} WHERE {_SAME_LOAD}", *self._key(entry))
        return None if row is None else _entry(row)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        """The committed entry of the same load, once none of the starts of these ids can commit any more.

        The session of a process that was killed may still be at its COMMIT.
        """
        if not self._is_there():
            return None
        for session in self.turn.sessions(loads):
            self._await_end(self._session, session)
        return self.find(entry)

    def last_cursor(self, entry: LedgerEntry) -> str | None:
        """The cursor of the latest load of the same pipeline and task into this destination."""
        cursor: str | None = self._session.value(
            f"SELECT cursor FROM {self._loads} WHERE pipeline = $1 AND task = $2 AND destination = $3 "
            "AND cursor IS NOT NULL ORDER BY committed_at DESC, load_id LIMIT 1",
            entry.pipeline,
            entry.task,
            self._destination,
        )
        return cursor

    def record(self, entry: LedgerEntry) -> None:
        """Write the entry within the data's transaction. Raises FencedError when another start took over."""
        self.turn.give_back()
        if entry.is_how_far:
            self._drop_long_mark(entry)
        self._session.run(
            self._session.connection.execute(
                f"INSERT INTO {self._loads} AS l ({_COLUMNS}) "
                f"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, {self._commit_time()}) "
                "ON CONFLICT (pipeline, task, run_key, part, destination) DO UPDATE SET "
                + ", ".join(f"{name} = excluded.{name}" for name in _CHANGING),
                *self._key(entry),
                uuid.UUID(entry.load_id),
                entry.digest,
                entry.rows_read,
                entry.rows_written,
                entry.rows_quarantined,
                entry.cursor,
                entry.version,
            )
        )

    def _commit_time(self) -> str:
        """SQL for now, and after the latest load of the task, also where the server's clock was set back."""
        latest = f"SELECT max(committed_at) FROM {self._loads} WHERE {_SAME_TASK} AND cursor IS NOT NULL"
        return f"greatest(clock_timestamp(), ({latest}) + interval '1 microsecond')"

    def was_committed(self, entry: LedgerEntry, session: Session) -> bool:
        """Whether this very load is in the ledger: settles a connection that was lost during COMMIT.

        The server may still be at that COMMIT, so its session must have ended first.
        """
        self._await_end(session, self.turn.backend)
        sql = f"SELECT count(*) FROM {self._loads} WHERE {_SAME_LOAD} AND load_id = $6"
        return bool(session.value(sql, *self._key(entry), uuid.UUID(entry.load_id)))

    def is_fenced(self, session: Session, entry: LedgerEntry, earlier: LedgerEntry | None) -> bool:
        """Whether the same load was started again since `earlier` was what the ledger had of it."""
        if self.turn.taken_by_another_start(session):
            return True
        sql = f"SELECT load_id::text FROM {self._loads} WHERE {_SAME_LOAD}"
        found: str | None = session.value(sql, *self._key(entry))
        return found not in (None, entry.load_id, earlier and earlier.load_id)

    def fenced(self) -> FencedError:
        """The error of a writer that was overtaken."""
        return self.turn.fenced()

    def _key(self, entry: LedgerEntry) -> tuple[str, ...]:
        return (*entry.key, self._destination)

    def _await_end(self, session: Session, backend: str) -> None:
        """End a session that may be at its COMMIT. Raises RetryableError while it goes on all the same.

        Of another role's session the server may show no more than that its number is in use.
        """
        hidden = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {NUMBER} AND backend_start IS NULL"
        ended = (
            f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity a WHERE {session_of('a')} = $1"
        )
        deadline = time.monotonic() + _SESSION_END
        while session.value(ended, backend) or session.value(hidden, backend):
            if time.monotonic() > deadline:
                message = f"the session that loads {self._destination} may still be at its COMMIT"
                raise RetryableError(message, hint=f"let this role see and end it: {MAY_END_OTHERS}")
            time.sleep(_POLL)

    def _drop_long_mark(self, entry: LedgerEntry) -> None:
        """Forget how far the load before this one came, where that is long: only the latest is ever asked for."""
        self._session.run(
            self._session.connection.execute(
                f"UPDATE {self._loads} SET cursor = NULL WHERE octet_length(cursor) > {LONG_MARK} AND ctid = "
                f"(SELECT ctid FROM {self._loads} WHERE pipeline = $1 AND task = $2 AND destination = $3 "
                "AND cursor IS NOT NULL ORDER BY committed_at DESC LIMIT 1)",
                entry.pipeline,
                entry.task,
                self._destination,
            )
        )


def _entry(row: object) -> LedgerEntry:
    values = dict(row)  # type: ignore[call-overload]
    names = LedgerEntry.__dataclass_fields__
    known = {name: value for name, value in values.items() if name in names}
    known |= {"committed_at": values["committed_at"].isoformat(), "load_id": str(values["load_id"])}
    return LedgerEntry(**known)


_SAME_TASK = "pipeline = $1 AND task = $2 AND destination = $5"

_SAME_LOAD = "pipeline = $1 AND task = $2 AND run_key = $3 AND part = $4 AND destination = $5"

_LATEST = "pipeline, task, destination, committed_at"

_COLUMNS = (
    "pipeline, task, run_key, part, destination, load_id, digest, "
    "rows_read, rows_written, rows_quarantined, cursor, version, committed_at"
)
_CHANGING = [name.strip() for name in _COLUMNS.split(",")][5:]

_LOADS = """
    pipeline text NOT NULL, task text NOT NULL, run_key text NOT NULL, part text NOT NULL,
    destination text NOT NULL, load_id uuid NOT NULL, digest text NOT NULL, rows_read bigint NOT NULL,
    rows_written bigint NOT NULL, rows_quarantined bigint NOT NULL, cursor text, version text NOT NULL,
    committed_at timestamptz NOT NULL, PRIMARY KEY (pipeline, task, run_key, part, destination)
"""

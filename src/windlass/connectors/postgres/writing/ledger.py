"""`_windlass_loads` and `_windlass_writers`: what was loaded, and who may load now.

A load's row is committed with its data, so whoever starts the same load again finds it. The row of a
destination in `_windlass_writers` counts its writers: each new one takes the next number, ends the
session of the one before, and commits only if no later number was given out meanwhile. A writer that
was paused or cut off can wake up whenever it likes: it cannot commit any more.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from windlass import failpoints, logs
from windlass.connectors.postgres.session import Session, lock_timed_out
from windlass.connectors.scratch import identifier, literal
from windlass.errors import FencedError, RetryableError
from windlass.ledger import LedgerEntry, fenced

__all__ = ["Ledger"]

_TAKEOVER_WAIT = "2s"  # how long a writer may hold its row at its own commit before its session is ended
_TAKEOVER_TRIES = 5
_SESSION_END, _POLL = 10.0, 0.05


class Ledger:
    """The ledger for one destination table, in the table's own schema."""

    def __init__(self, session: Session, schema: str, table: str, part: str = "") -> None:
        self._session = session
        self._loads = f"{identifier(schema)}._windlass_loads"
        self._writers = f"{identifier(schema)}._windlass_writers"
        self._destination = f"{schema}.{table}"
        self._writer = self._destination + (f"#{part}" if part else "")
        self._number, self._backend = 0, ""

    def take_over(self, entry: LedgerEntry) -> None:
        """Become the destination's only writer; committed at once."""
        self._create()
        for _ in range(_TAKEOVER_TRIES):
            if self._try_to_take_over(entry):
                return
            self._end_session_of_writer()
        hint = f"wait for it; or let this role end it: {_MAY_END_OTHERS}"
        raise RetryableError(f"another writer holds {self._destination} and cannot be ended", hint=hint)

    def find(self, entry: LedgerEntry) -> LedgerEntry | None:
        """The committed entry of the same load."""
        row = self._session.row(f"SELECT * FROM {self._loads} WHERE {_SAME_LOAD}", *self._key(entry))
        return None if row is None else _entry(row)

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        """The committed entry of the same load, once none of the starts of these ids can commit any more.

        The session of a process that was killed may still be at its COMMIT. Only the latest writer's
        can: every other was ended by the one that came after it.
        """
        if self._session.value("SELECT to_regclass($1)", self._loads) is None:
            return None
        sql = f"SELECT writer, backend FROM {self._writers} WHERE destination = $1"
        latest = self._session.row(sql, self._writer)
        if latest is not None and latest["writer"].rpartition(" ")[2] in loads:
            self._await_end(self._session, latest["backend"])
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
        """Write the entry within the data's transaction. Raises FencedError when another took over."""
        number = self._session.value(
            f"SELECT number FROM {self._writers} WHERE destination = {literal(self._writer)} FOR UPDATE"
        )
        if number != self._number:
            raise self.fenced()
        self._session.run(
            self._session.connection.execute(
                f"INSERT INTO {self._loads} AS l ({_COLUMNS}) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp()) "
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

    def was_committed(self, entry: LedgerEntry, session: Session) -> bool:
        """Whether this very load is in the ledger: settles a connection that was lost during COMMIT.

        The server may still be at that COMMIT, so its session must have ended first.
        """
        self._await_end(session, self._backend)
        sql = f"SELECT count(*) FROM {self._loads} WHERE {_SAME_LOAD} AND load_id = $6"
        return bool(session.value(sql, *self._key(entry), uuid.UUID(entry.load_id)))

    def is_fenced(self, session: Session) -> bool:
        """Whether a later writer took over."""
        sql = f"SELECT number FROM {self._writers} WHERE destination = $1"
        return self._number > 0 and bool(session.value(sql, self._writer) != self._number)

    def fenced(self) -> FencedError:
        """The error of a writer that was overtaken."""
        return fenced(self._destination)

    def _key(self, entry: LedgerEntry) -> tuple[str, ...]:
        return (*entry.key, self._destination)

    def _await_end(self, session: Session, backend: str) -> None:
        """End a session that may be at its COMMIT. Raises RetryableError while it goes on all the same.

        Of another role's session the server may show no more than that its number is in use.
        """
        hidden = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {_NUMBER} AND backend_start IS NULL"
        ended = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_BACKEND} = $1"
        deadline = time.monotonic() + _SESSION_END
        while session.value(ended, backend) or session.value(hidden, backend):
            if time.monotonic() > deadline:
                message = f"the session that loads {self._destination} may still be at its COMMIT"
                raise RetryableError(message, hint=f"let this role see and end it: {_MAY_END_OTHERS}")
            time.sleep(_POLL)

    def _create(self) -> None:
        # CREATE TABLE IF NOT EXISTS is not safe against another session doing the same
        self._session.execute(
            f"BEGIN; SELECT pg_advisory_xact_lock(hashtext({literal(self._loads)}));"
            f"CREATE TABLE IF NOT EXISTS {self._loads} ({_LOADS});"
            f"CREATE TABLE IF NOT EXISTS {self._writers} ({_WRITERS}); COMMIT"
        )

    def _try_to_take_over(self, entry: LedgerEntry) -> bool:
        who = literal(f"{entry.pipeline}.{entry.task} {entry.run_key} {entry.load_id}")
        try:
            self._session.execute(
                f"BEGIN; SET LOCAL lock_timeout = {literal(_TAKEOVER_WAIT)};"
                f"INSERT INTO {self._writers} (destination, number, writer, backend) "
                f"VALUES ({literal(self._writer)}, 0, '', '') ON CONFLICT DO NOTHING"
            )
            own_row = f"destination = {literal(self._writer)}"
            before = self._session.value(f"SELECT backend FROM {self._writers} WHERE {own_row} FOR UPDATE")
            taken = self._session.row(
                f"UPDATE {self._writers} SET number = number + 1, writer = {who}, backend = {_OWN_BACKEND}, "
                f"since = now() WHERE {own_row} RETURNING number, backend"
            )
            self._number, self._backend = taken["number"], taken["backend"]
            self._end_session(before)  # before the commit: who ends us now must still find that one noted
            failpoints.reach("during-recovery")
            self._session.execute("COMMIT")
        except RetryableError as exc:
            if not lock_timed_out(exc):
                raise
            self._session.execute("ROLLBACK")
            return False
        return True

    def _end_session_of_writer(self) -> None:
        sql = f"SELECT backend FROM {self._writers} WHERE destination = $1"
        self._end_session(self._session.value(sql, self._writer))

    def _end_session(self, backend: str | None) -> None:
        """End the session, if it still is the one that was noted: its process id may be another's by now."""
        if backend is None:
            return
        ended = self._session.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            f"WHERE {_BACKEND} = $1 AND pid <> pg_backend_pid()",
            backend,
        )
        if ended:
            logs.warning("fenced_earlier_writer", destination=self._destination, backend=backend)


def _entry(row: object) -> LedgerEntry:
    values = dict(row)  # type: ignore[call-overload]
    names = LedgerEntry.__dataclass_fields__
    known = {name: value for name, value in values.items() if name in names}
    known |= {"committed_at": values["committed_at"].isoformat(), "load_id": str(values["load_id"])}
    return LedgerEntry(**known)


_SAME_LOAD = "pipeline = $1 AND task = $2 AND run_key = $3 AND part = $4 AND destination = $5"

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

_WRITERS = """
    destination text PRIMARY KEY, number bigint NOT NULL, writer text NOT NULL, backend text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
"""

_NUMBER = "nullif(split_part($1, '@', 1), '')::int"
_MAY_END_OTHERS = "GRANT pg_read_all_stats, pg_signal_backend TO its role"
_BACKEND = "pid || '@' || extract(epoch FROM backend_start)"
_OWN_BACKEND = f"(SELECT {_BACKEND} FROM pg_stat_activity WHERE pid = pg_backend_pid())"

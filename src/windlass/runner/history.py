"""What happened: runs, task runs and attempts, in an SQLite database that survives kill -9.

WAL mode and short transactions let several runs write at once. A run holds a lock on a file as long as
its process lives, so a run that is `running` in the database but has no holder was killed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import IO

from windlass.errors import Code, RetryableError, UsageError, did_you_mean
from windlass.locks import has_owner, try_to_take
from windlass.runner.database import Database
from windlass.runner.orphans import end_orphans
from windlass.runner.records import AlertRecord, Attempt, Run, TaskRun, Totals, now
from windlass.runner.tables import Record, bring_up_to_date, put, select, table_names
from windlass.state_folder import StateFolder
from windlass.status import Status

__all__ = ["AlertRecord", "Attempt", "History", "Run", "TaskRun", "Totals", "now"]


class History:
    """The database of one project."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._database = Database(state.database)
        with self._database.connected() as connection:
            bring_up_to_date(connection)

    def begin(self, run: Run, tasks: Sequence[TaskRun], *, alone: bool) -> IO[str]:
        """Record a run that starts now, or that is taken up again. Returns its lock: keep it open.

        With `alone`, raises UsageError when the pipeline already runs.
        """
        lock = try_to_take(self._state.run(run.run_id).lock)
        if lock is None:
            raise RetryableError(f"the run {run.run_id} is still going", code=Code.ALREADY_RUNNING)
        with self._database.transaction() as connection:
            for other in self._running(connection, run.pipeline):
                if other.run_id != run.run_id and alone:
                    lock.close()
                    hint = "wait for it, or allow it with `concurrency: allow` in the pipeline file"
                    message = f"{run.pipeline} is already running, as {other.run_id}"
                    raise RetryableError(message, hint=hint, code=Code.ALREADY_RUNNING)
            put(connection, run)
            for task in tasks:
                put(connection, task)
        return lock

    def kept_open(self) -> AbstractContextManager[None]:
        """Keep the database open, which makes each record that is saved meanwhile cheaper."""
        return self._database.kept_open()

    def save(self, *records: Record) -> None:
        """Write records, each in the place of an earlier one; all or none."""
        with self._database.transaction() as connection:
            for record in records:
                put(connection, record)

    def run(self, run_id: str) -> Run:
        """The run of that id, or of an id that begins so. Raises UsageError for none, or several."""
        with self._database.connected() as connection:
            self._mark_killed(connection)
            found = select(
                connection, Run, "WHERE substr(run_id, 1, length(?)) = ? ORDER BY started", run_id, run_id
            )
            exact = [run for run in found if run.run_id == run_id]
            if exact or len(found) == 1:
                return (exact or found)[0]
            if found:
                named = ", ".join(r.run_id for r in found[-5:])
                raise UsageError(f"several runs begin with {run_id!r}: {named}", code=Code.UNKNOWN_RUN)
            known = [run.run_id for run in select(connection, Run, "ORDER BY rowid DESC LIMIT 50")]
        hint = did_you_mean(run_id, known) or "list them with: windlass runs"
        raise UsageError(f"there is no run {run_id!r}", hint=hint, code=Code.UNKNOWN_RUN)

    def knows(self, run_id: str) -> bool:
        """Whether there is a run of exactly that id."""
        with self._database.connected() as connection:
            return bool(select(connection, Run, "WHERE run_id = ?", run_id))

    def runs(self, pipeline: str | None = None, limit: int = 20) -> list[Run]:
        """The latest runs, newest first."""
        where, args = ("WHERE pipeline = ?", [pipeline]) if pipeline else ("", [])
        with self._database.connected() as connection:
            self._mark_killed(connection)
            return select(connection, Run, f"{where} ORDER BY rowid DESC LIMIT ?", *args, limit)

    def last_success(self, pipeline: str) -> Run | None:
        """The run that succeeded last."""
        with self._database.connected() as connection:
            where = "WHERE pipeline = ? AND status = ? ORDER BY ended DESC LIMIT 1"
            return next(iter(select(connection, Run, where, pipeline, Status.SUCCESS)), None)

    def first_run(self, pipeline: str) -> Run | None:
        """The earliest run that is remembered."""
        with self._database.connected() as connection:
            where = "WHERE pipeline = ? ORDER BY started LIMIT 1"
            return next(iter(select(connection, Run, where, pipeline)), None)

    def latest(self, each: int) -> list[Run]:
        """The latest runs of each pipeline, so many of each at most; newest first."""
        ranked = "SELECT run_id, row_number() OVER (PARTITION BY pipeline ORDER BY rowid DESC) AS place"
        chosen = f"SELECT run_id FROM ({ranked} FROM runs) WHERE place <= ?"
        with self._database.connected() as connection:
            self._mark_killed(connection)
            return select(connection, Run, f"WHERE run_id IN ({chosen}) ORDER BY rowid DESC", each)

    def totals(self) -> dict[str, Totals]:
        """What the tasks of each run moved, together."""
        sums = ", ".join(
            f"sum({name})" for name in ("rows_read", "rows_written", "rows_quarantined", "bytes")
        )
        with self._database.connected() as connection:
            rows = connection.execute(f"SELECT run_id, {sums} FROM task_runs GROUP BY run_id")
            return {run_id: Totals(*moved) for run_id, *moved in rows}

    def last_successes(self) -> dict[str, tuple[str, str]]:
        """Of each pipeline that has succeeded: when it last did, and up to when its data intervals are loaded."""
        found = "SELECT pipeline, max(ended), max(interval_end) FROM runs WHERE status = ? GROUP BY pipeline"
        with self._database.connected() as connection:
            return {
                name: (ended, until) for name, ended, until in connection.execute(found, (Status.SUCCESS,))
            }

    def children(self, run_id: str) -> list[Run]:
        """The runs that triggers of this run started."""
        with self._database.connected() as connection:
            return select(connection, Run, "WHERE parent = ? ORDER BY started", run_id)

    def tasks(self, run_id: str) -> list[TaskRun]:
        """The task runs of a run, in the plan's order."""
        with self._database.connected() as connection:
            return select(connection, TaskRun, "WHERE run_id = ? ORDER BY rowid", run_id)

    def attempts(self, run_id: str, task: str | None = None) -> list[Attempt]:
        """The attempts of a run, or of one of its tasks, in their order."""
        where = "WHERE run_id = ?" + (" AND task = ?" if task else "")
        with self._database.connected() as connection:
            return select(
                connection, Attempt, f"{where} ORDER BY started, number", run_id, *([task] if task else [])
            )

    # --- alerts ---

    def alerts(self, run_id: str) -> list[AlertRecord]:
        """What was told of a run, or was to be."""
        return self._alerts("WHERE run_id = ? ORDER BY rowid", run_id)

    def unsent_alerts(self, pipeline: str, most_attempts: int) -> list[AlertRecord]:
        """The messages about a pipeline that nobody has taken, and that were not tried that often yet. A run that is going
        on sends its own."""
        where = "WHERE pipeline = ? AND sent IS NULL AND attempts < ? ORDER BY rowid"
        found = self._alerts(where, pipeline, most_attempts)
        return [record for record in found if not has_owner(self._state.run(record.run_id).lock)]

    def claim_alert(self, record: AlertRecord) -> bool:
        """Count one more try at a message; False where somebody else has just begun one."""
        where = (
            "run_id = ? AND subject = ? AND connection = ? AND event = ? AND attempts = ? AND sent IS NULL"
        )
        key = (record.run_id, record.subject, record.connection, record.event, record.attempts)
        with self._database.transaction() as connection:
            claimed = connection.execute(f"UPDATE alerts SET attempts = attempts + 1 WHERE {where}", key)
        record.attempts += claimed.rowcount
        return claimed.rowcount == 1

    def open_alerts(self, subject: str) -> list[AlertRecord]:
        """The messages about trouble that is not over, the oldest first."""
        return self._alerts(
            "WHERE subject = ? AND closed IS NULL AND event IN ('failure', 'missed') ORDER BY created",
            subject,
        )

    def close_alerts(self, subject: str, when: str) -> None:
        """The trouble is over."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET closed = ? WHERE subject = ? AND closed IS NULL", (when, subject)
            )

    def _alerts(self, rest: str, *args: object) -> list[AlertRecord]:
        with self._database.connected() as connection:
            return select(connection, AlertRecord, rest, *args)

    # --- old runs ---

    def families(self, pipeline: str | None = None) -> list[Run]:
        """The runs that nobody triggered who is still known, the latest first; of a pipeline, or all."""
        where = "WHERE (parent IS NULL OR parent NOT IN (SELECT run_id FROM runs))"
        where, args = (f"{where} AND pipeline = ?", [pipeline]) if pipeline else (where, [])
        with self._database.connected() as connection:
            self._mark_killed(connection)
            return select(connection, Run, f"{where} ORDER BY rowid DESC", *args)

    def descendants(self, run_id: str) -> list[Run]:
        """The runs that triggers of this run started, and that those started in turn."""
        children = self.children(run_id)
        return children + [run for child in children for run in self.descendants(child.run_id)]

    def forget(self, run_ids: Sequence[str]) -> None:
        """Remove the records of these runs."""
        with self._database.transaction() as connection:
            for table in table_names():
                connection.executemany(
                    f"DELETE FROM {table} WHERE run_id = ?", [(run_id,) for run_id in run_ids]
                )

    def give_back_space(self) -> None:
        """Make the file as small as what is in it, if much of it is empty and nobody else uses it just now."""
        with self._database.connected() as connection, suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA busy_timeout = 0")
            pages, empty = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count")
            )
            if empty * 4 > pages:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # --- killed runs ---

    def _running(self, connection: sqlite3.Connection, pipeline: str) -> list[Run]:
        """The runs of a pipeline that are going on; those that were killed are marked on the way."""
        self._mark_killed(connection)
        return select(connection, Run, "WHERE pipeline = ? AND status = ?", pipeline, Status.RUNNING)

    def _mark_killed(self, connection: sqlite3.Connection) -> None:
        for run in select(connection, Run, "WHERE status = ?", Status.RUNNING):
            if has_owner(self._state.run(run.run_id).lock):
                continue
            died = now()
            ended = connection.execute(
                "UPDATE runs SET status = ?, ended = ? WHERE run_id = ? AND status = ?",
                (Status.FAILED, died, run.run_id, Status.RUNNING),
            )
            if ended.rowcount == 0:  # it came to its end between our two looks
                continue
            for table in ("task_runs", "attempts"):
                connection.execute(
                    f"UPDATE {table} SET status = '{Status.FAILED}', ended = ?, error = 'windlass was killed' "
                    f"WHERE run_id = ? AND status IN ('{Status.RUNNING}', '{Status.UP_FOR_RETRY}')",
                    (died, run.run_id),
                )
            connection.execute(
                f"UPDATE task_runs SET status = '{Status.CANCELLED}' WHERE run_id = ? AND status = '{Status.PENDING}'",
                (run.run_id,),
            )
            end_orphans(self._state.run(run.run_id).lock)

"""What happened: runs, task runs and attempts, in an SQLite database that survives kill -9.

WAL mode and short transactions let several runs write at once. A run holds a lock on a file as long as
its process lives, so a run that is `running` in the database but has no holder was killed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple

from windlass.errors import Code, RetryableError, UsageError, did_you_mean
from windlass.locks import has_owner, try_to_take
from windlass.runner.database import Database
from windlass.runner.orphans import end_orphans
from windlass.state_folder import StateFolder
from windlass.status import Status

__all__ = ["AlertRecord", "Attempt", "History", "Run", "TaskRun", "Totals", "now"]

_VERSION = 4


@dataclass
class Run:
    """One execution of a pipeline. Times are ISO 8601 in UTC."""

    run_id: str
    pipeline: str
    status: Status = Status.RUNNING
    run_key: str = ""
    logical_date: str = ""
    interval_start: str = ""
    interval_end: str = ""
    scheduled: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    ended: str | None = None
    parent: str | None = None
    """The run whose trigger started this one."""

    version: str = ""
    dev_services: dict[str, str] = field(default_factory=dict)
    """The connections that dev services stood in for, each with its type."""

    @property
    def seconds(self) -> float | None:
        """How long the run took; None while it runs."""
        return _seconds(self.started, self.ended)


@dataclass
class TaskRun:
    """What became of one task in a run."""

    run_id: str
    task: str
    kind: str
    status: Status = Status.PENDING
    attempts: int = 0
    started: str | None = None
    ended: str | None = None
    rows_read: int | None = None
    rows_written: int | None = None
    rows_quarantined: int | None = None
    bytes: int | None = None
    path: str | None = None
    error: str | None = None
    code: str | None = None
    """The code of the error, if it has one."""

    retryable: bool = False
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        return _seconds(self.started, self.ended)

    @property
    def columns_added(self) -> list[str]:
        """Of a copy: the columns that its destination did not have before."""
        return self._listed("columns_added")

    @property
    def columns_missing(self) -> list[str]:
        """Of a copy: the columns of its destination that got no values."""
        return self._listed("columns_missing")

    @property
    def columns_widened(self) -> dict[str, str]:
        """Of a copy: the columns that have got a wider type, each with what it was and is."""
        found = self.detail.get("columns_widened")
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    @property
    def columns_changed(self) -> str:
        """What a copy did to the columns of its destination, in words; empty where it left them as they were."""
        words = []
        if self.columns_added:
            words.append(f"columns added: {', '.join(self.columns_added)}")
        if self.columns_widened:
            wider = ", ".join(f"{name} ({change})" for name, change in self.columns_widened.items())
            words.append(f"columns widened: {wider}")
        return "; ".join(words)

    @property
    def requests(self) -> dict[str, Any] | None:
        """The requests that it made to web servers, as `request_log` tells them; None where it made none."""
        found = self.detail.get("requests")
        return found if isinstance(found, dict) else None

    def _listed(self, key: str) -> list[str]:
        found = self.detail.get(key)
        return list(map(str, found)) if isinstance(found, list) else []


@dataclass
class Attempt:
    """One try of a task run."""

    run_id: str
    task: str
    number: int
    status: Status = Status.RUNNING
    started: str = ""
    ended: str | None = None
    exit_code: int | None = None
    error: str | None = None


@dataclass
class AlertRecord:
    """One message to one connection about what became of a run, or of a task in it."""

    run_id: str
    subject: str
    """What it is about: the pipeline, or `PIPELINE.TASK`."""

    connection: str
    event: str
    pipeline: str = ""
    created: str = ""
    sent: str | None = None
    """When it was taken; None as long as it was not."""

    attempts: int = 0
    error: str | None = None
    """Why it was not taken."""

    code: str | None = None

    closed: str | None = None
    """Of a failure: when the trouble was over."""

    message: dict[str, Any] = field(default_factory=dict)


class Totals(NamedTuple):
    """What the tasks of a run moved; None where none of them counts that."""

    rows_read: int | None = None
    rows_written: int | None = None
    rows_quarantined: int | None = None
    bytes: int | None = None


def _seconds(started: str | None, ended: str | None) -> float | None:
    if started is None or ended is None:
        return None
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class History:
    """The database of one project."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._database = Database(state.database)
        with self._database.connected() as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                _bring_up_to_date(connection)
                connection.execute("COMMIT")

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
            _put(connection, "runs", run, ("run_id",))
            for task in tasks:
                _put(connection, "task_runs", task, ("run_id", "task"))
        return lock

    def kept_open(self) -> AbstractContextManager[None]:
        """Keep the database open, which makes each record that is saved meanwhile cheaper."""
        return self._database.kept_open()

    def save(self, *records: Run | TaskRun | Attempt | AlertRecord) -> None:
        """Write records, each in the place of an earlier one; all or none."""
        with self._database.transaction() as connection:
            for record in records:
                table, key = _TABLES[type(record)]
                _put(connection, table, record, key)

    def run(self, run_id: str) -> Run:
        """The run of that id, or of an id that begins so. Raises UsageError for none, or several."""
        with self._database.connected() as connection:
            self._mark_killed(connection)
            found = _select(
                connection, Run, "WHERE substr(run_id, 1, length(?)) = ? ORDER BY started", run_id, run_id
            )
            exact = [run for run in found if run.run_id == run_id]
            if exact or len(found) == 1:
                chosen: Run = (exact or found)[0]
                return chosen
            if found:
                named = ", ".join(r.run_id for r in found[-5:])
                raise UsageError(f"several runs begin with {run_id!r}: {named}", code=Code.UNKNOWN_RUN)
            known = [run.run_id for run in _select(connection, Run, "ORDER BY started DESC LIMIT 50")]
        hint = did_you_mean(run_id, known) or "list them with: windlass runs"
        raise UsageError(f"there is no run {run_id!r}", hint=hint, code=Code.UNKNOWN_RUN)

    def knows(self, run_id: str) -> bool:
        """Whether there is a run of exactly that id."""
        with self._database.connected() as connection:
            return bool(_select(connection, Run, "WHERE run_id = ?", run_id))

    def runs(self, pipeline: str | None = None, limit: int = 20) -> list[Run]:
        """The latest runs, newest first."""
        where, args = ("WHERE pipeline = ?", [pipeline]) if pipeline else ("", [])
        with self._database.connected() as connection:
            self._mark_killed(connection)
            return _select(
                connection, Run, f"{where} ORDER BY started DESC, rowid DESC LIMIT ?", *args, limit
            )

    def last_success(self, pipeline: str) -> Run | None:
        """The run that succeeded last."""
        with self._database.connected() as connection:
            where = "WHERE pipeline = ? AND status = ? ORDER BY ended DESC LIMIT 1"
            return next(iter(_select(connection, Run, where, pipeline, Status.SUCCESS)), None)

    def first_run(self, pipeline: str) -> Run | None:
        """The earliest run that is remembered."""
        with self._database.connected() as connection:
            where = "WHERE pipeline = ? ORDER BY started LIMIT 1"
            return next(iter(_select(connection, Run, where, pipeline)), None)

    def latest(self, each: int) -> list[Run]:
        """The latest runs of each pipeline, so many of each at most; newest first."""
        ranked = "SELECT run_id, row_number() OVER (PARTITION BY pipeline ORDER BY started DESC, rowid DESC) AS place"
        chosen = f"SELECT run_id FROM ({ranked} FROM runs) WHERE place <= ?"
        with self._database.connected() as connection:
            self._mark_killed(connection)
            return _select(
                connection, Run, f"WHERE run_id IN ({chosen}) ORDER BY started DESC, rowid DESC", each
            )

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
            return _select(connection, Run, "WHERE parent = ? ORDER BY started", run_id)

    def tasks(self, run_id: str) -> list[TaskRun]:
        """The task runs of a run, in the plan's order."""
        with self._database.connected() as connection:
            return _select(connection, TaskRun, "WHERE run_id = ? ORDER BY rowid", run_id)

    def attempts(self, run_id: str, task: str | None = None) -> list[Attempt]:
        """The attempts of a run, or of one of its tasks, in their order."""
        where = "WHERE run_id = ?" + (" AND task = ?" if task else "")
        with self._database.connected() as connection:
            return _select(
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
            return _select(connection, AlertRecord, rest, *args)

    # --- old runs ---

    def families(self, pipeline: str | None = None) -> list[Run]:
        """The runs that nobody triggered who is still known, the latest first; of a pipeline, or all."""
        where = "WHERE (parent IS NULL OR parent NOT IN (SELECT run_id FROM runs))"
        where, args = (f"{where} AND pipeline = ?", [pipeline]) if pipeline else (where, [])
        with self._database.connected() as connection:
            self._mark_killed(connection)
            return _select(connection, Run, f"{where} ORDER BY started DESC, rowid DESC", *args)

    def descendants(self, run_id: str) -> list[Run]:
        """The runs that triggers of this run started, and that those started in turn."""
        children = self.children(run_id)
        return children + [run for child in children for run in self.descendants(child.run_id)]

    def forget(self, run_ids: Sequence[str]) -> None:
        """Remove the records of these runs."""
        with self._database.transaction() as connection:
            for table, _ in _TABLES.values():
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
        return _select(connection, Run, "WHERE pipeline = ? AND status = ?", pipeline, Status.RUNNING)

    def _mark_killed(self, connection: sqlite3.Connection) -> None:
        for run in _select(connection, Run, "WHERE status = ?", Status.RUNNING):
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


_TABLES: dict[type, tuple[str, tuple[str, ...]]] = {
    Run: ("runs", ("run_id",)),
    TaskRun: ("task_runs", ("run_id", "task")),
    Attempt: ("attempts", ("run_id", "task", "number")),
    AlertRecord: ("alerts", ("run_id", "subject", "connection", "event")),
}


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables, or give those of an earlier version what they lack."""
    for record, (table, key) in _TABLES.items():
        names = [f.name for f in fields(record)]
        primary = f"PRIMARY KEY ({', '.join(key)})"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(names)}, {primary})")
        there = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
        for name in names:
            if name not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _put(connection: sqlite3.Connection, table: str, record: Any, key: tuple[str, ...]) -> None:
    values = {k: json.dumps(v, default=str) if isinstance(v, dict) else v for k, v in asdict(record).items()}
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    changes = ", ".join(f"{name} = excluded.{name}" for name in values if name not in key)
    connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}",
        tuple(values.values()),
    )


def _select(connection: sqlite3.Connection, record: type[Any], rest: str, *args: object) -> list[Any]:
    table, _ = _TABLES[record]
    names = [f.name for f in fields(record)]
    found = []
    for row in connection.execute(f"SELECT {', '.join(names)} FROM {table} {rest}", args):
        values = dict(row)
        if "status" in values:
            values["status"] = Status(values["status"])
        for name in ("params", "detail", "dev_services", "message"):
            if name in values:
                values[name] = json.loads(
                    values[name] or "{}"
                )  # there is none in a run of an earlier version
        for name in ("scheduled", "retryable"):
            if name in values:
                values[name] = bool(values[name])
        found.append(record(**values))
    return found

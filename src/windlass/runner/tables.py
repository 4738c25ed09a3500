"""How records lie in the tables of an SQLite database: a column a field, whatever an earlier version has left out."""

from __future__ import annotations

import json
import sqlite3
from typing import TypeAlias, TypeVar

from msgspec.structs import asdict

from windlass.runner.records import AlertRecord, Attempt, Run, TaskRun
from windlass.status import Status

__all__ = ["Record", "bring_up_to_date", "put", "select", "table_names"]

_VERSION = 4
_DOCUMENTS = {"params", "detail", "dev_services", "message"}
_TRUTHS = {"scheduled", "retryable"}

Record: TypeAlias = Run | TaskRun | Attempt | AlertRecord
R = TypeVar("R", Run, TaskRun, Attempt, AlertRecord)

_TABLES: dict[type[Record], tuple[str, tuple[str, ...]]] = {
    Run: ("runs", ("run_id",)),
    TaskRun: ("task_runs", ("run_id", "task")),
    Attempt: ("attempts", ("run_id", "task", "number")),
    AlertRecord: ("alerts", ("run_id", "subject", "connection", "event")),
}


def table_names() -> list[str]:
    return [table for table, _ in _TABLES.values()]


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables, or give those of an earlier version what they lack."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    for record, (table, key) in _TABLES.items():
        names = record.__struct_fields__
        primary = f"PRIMARY KEY ({', '.join(key)})"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(names)}, {primary})")
        there = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
        for name in names:
            if name not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def put(connection: sqlite3.Connection, record: Record) -> None:
    """Write a record in the place of an earlier one."""
    table, key = _TABLES[type(record)]
    values = {k: json.dumps(v, default=str) if isinstance(v, dict) else v for k, v in asdict(record).items()}
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    changes = ", ".join(f"{name} = excluded.{name}" for name in values if name not in key)
    connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}",
        tuple(values.values()),
    )


def select(connection: sqlite3.Connection, record: type[R], rest: str, *args: object) -> list[R]:
    """The records of that kind; `rest` is what follows the name of the table."""
    table, _ = _TABLES[record]
    names = record.__struct_fields__
    found = []
    for row in connection.execute(f"SELECT {', '.join(names)} FROM {table} {rest}", args):
        values = dict(row)
        if "status" in values:
            values["status"] = Status(values["status"])
        for name in _DOCUMENTS & values.keys():
            values[name] = json.loads(values[name] or "{}")  # there is none in a run of an earlier version
        for name in _TRUTHS & values.keys():
            values[name] = bool(values[name])
        found.append(record(**values))
    return found

"""The stage on which copies are killed: a project with one `copy`, its source, and a target with old rows."""

from __future__ import annotations

import csv
import datetime
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeAlias
from uuid import uuid4

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import plain_environment
from tests.faults.checker import (
    ParquetEnd,
    PostgresEnd,
    Reader,
    Rows,
    SqliteEnd,
    counted,
    family,
    leftovers,
    processes,
    query,
    until,
)
from tests.warm import Started, Warm

Mode: TypeAlias = Literal["append", "replace", "merge"]
Kind: TypeAlias = Literal["pg", "csv", "parquet", "folder", "sqlite"]

_BAD_LINES = 5
_TIMEOUT = 120.0
_RUN = [sys.executable, "-m", "windlass"]

_Raw: TypeAlias = tuple[int, str, Decimal, datetime.date]


def _row(number: int, version: str) -> _Raw:
    name = f"{version} {number} " + ('a "quoted" näme,\nover two lines' if number % 97 == 0 else "x" * 80)
    return (
        number,
        name,
        Decimal(number * (37 if version == "new" else 41)) / 100,
        datetime.date(2020, 1, 1) + datetime.timedelta(number % 3000),
    )


OLD = [_row(number, "old") for number in range(1, 601)]
NEW = [_row(number, "new") for number in range(401, 2401)]

_COLUMNS = "id bigint, name text, amount numeric(12,2), day date"
_TYPES = (pa.int64(), pa.string(), pa.decimal128(12, 2), pa.date32())


@dataclass(frozen=True)
class Pair:
    """Where the rows come from, and where they go to."""

    source: Literal["pg", "csv"]
    target: Literal["pg", "parquet", "folder", "sqlite"]

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


@dataclass(frozen=True)
class Servers:
    """The addresses of two Postgres servers, of which the source has the table `src`; and who starts commands."""

    source: str
    target: str
    warm: Warm


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def task(self) -> Any:
        """What `windlass run --json` says about the task."""
        return json.loads(self.stdout)["tasks"][0]

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.stdout}\n{self.stderr}"


class Scene:
    """One project, in a folder and with a database of its own."""

    def __init__(
        self, folder: Path, pair: Pair, mode: Mode, servers: Servers, *, options: dict[str, Any] | None = None
    ) -> None:
        self.folder, self.pair, self.mode, self.servers = folder / "project", pair, mode, servers
        self.temporary = folder / "tmp"
        self.seeded, self.new = False, NEW
        self.out = folder / "out"
        for made in (self.folder / "pipelines", self.temporary, self.out):
            made.mkdir(parents=True)
        self.database = servers.target
        if pair.target == "pg":
            self.database = new_database(servers.target)
        self.environment = {
            **plain_environment(),
            "TMPDIR": str(self.temporary),
            "WINDLASS_RUN_ID": "scheduled",  # what a scheduler says, for `windlass exec`
            "WINDLASS_CONN_X": servers.source,
            "WINDLASS_CONN_Y": self.database,
            "WINDLASS_CONN_Z": f"sqlite:///{self.out / 'db.sqlite'}",
        }
        self._write_project(options or {})

    # --- the project ---

    def _write_project(self, options: dict[str, Any]) -> None:
        connections = {"x": {"type": "postgres"}, "y": {"type": "postgres"}, "z": {"type": "sqlite"}}
        source: dict[str, Any] = {"connection": "x", "table": "src"}
        if self.pair.source == "csv":
            source = {"path": "src.csv"}
            write_csv(self.folder / "src.csv")
        target: dict[str, Any] = {"connection": "y", "table": "{{ params.target }}"}
        if self.pair.target == "sqlite":
            target["connection"] = "z"
        elif self.pair.target != "pg":
            ending = "/" if self.pair.target == "folder" else ".parquet"
            target = {"path": f"{self.out}/{{{{ params.target }}}}{ending}"}
        target |= {"mode": self.mode} | ({"key": ["id"]} if self.mode == "merge" else {})
        copy: dict[str, Any] = {"from": source, "to": target, "on_bad_row": "quarantine"}
        if self.pair.source == "csv":
            types = {"id": "bigint", "name": "text", "amount": "numeric(12,2)", "day": "date"}
            copy["select"] = {name: {"type": kind} for name, kind in types.items()}
        pipeline = {
            "pipeline": "load",
            "schedule": "@daily",
            "start": "2026-01-01",
            "params": {"target": "dst"},
            "tasks": {"load": {"retries": 2, "retry_delay": "0s", **options, "copy": copy}},
        }
        (self.folder / "windlass.yaml").write_text(
            json.dumps({"project": "faults", "connections": connections})
        )
        (self.folder / "pipelines" / "load.yaml").write_text(json.dumps(pipeline))

    def end(self, target: str = "dst") -> PostgresEnd | ParquetEnd | SqliteEnd:
        """The target of that name, which need not be there."""
        if self.pair.target == "pg":
            return PostgresEnd(self.database, target)
        if self.pair.target == "sqlite":
            return SqliteEnd(self.out / "db.sqlite", target)
        return ParquetEnd(self.out / (f"{target}.parquet" if self.pair.target == "parquet" else target))

    def seed(self, target: str = "dst") -> PostgresEnd | ParquetEnd | SqliteEnd:
        """Put the old rows into a new target of that name."""
        end, self.seeded = self.end(target), True
        if self.pair.target == "pg":
            asyncpg_copy(self.database, target, OLD, key=self.mode == "merge")
        elif isinstance(end, SqliteEnd):
            with closing(sqlite3.connect(self.out / "db.sqlite")) as database, database:
                key = ", PRIMARY KEY (id)" if self.mode == "merge" else ""
                database.execute(
                    f"CREATE TABLE {target} (id BIGINT, name TEXT, amount DECIMAL TEXT(12,2), day DATE{key})"
                )
                rows = [(i, name, str(amount), str(day)) for i, name, amount, day in OLD]
                database.executemany(f"INSERT INTO {target} VALUES (?, ?, ?, ?)", rows)
        elif isinstance(end, ParquetEnd):
            _write_parquet(end.path)
        return end

    @property
    def expected(self) -> Rows:
        """The rows that a load leaves."""
        if self.mode == "replace" or not self.seeded:
            return counted(self.new)
        if self.mode == "append":
            return counted([*OLD, *self.new])
        return counted({row[0]: row for row in [*OLD, *self.new]}.values())

    @property
    def bad_lines(self) -> int:
        return _BAD_LINES if self.pair.source == "csv" else 0

    # --- commands ---

    def start(self, *arguments: str, failpoint: str = "") -> subprocess.Popen[str]:
        """Start windlass for this project. A failpoint is only known to it and its tasks."""
        return subprocess.Popen(
            [*_RUN, "-C", str(self.folder), *arguments],
            env=self._environment(failpoint),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def begin(self, *arguments: str, failpoint: str = "") -> Started:
        """Start windlass for this project, its imports done."""
        command = ("windlass", "-C", str(self.folder), *arguments)
        return self.servers.warm.start(*command, cwd=self.folder, env=self._environment(failpoint))

    def call(self, *arguments: str, failpoint: str = "") -> Done:
        """Run windlass for this project."""
        return ended(self.begin(*arguments, failpoint=failpoint))

    def _environment(self, failpoint: str) -> dict[str, str]:
        return {**self.environment, **({"WINDLASS_FAILPOINT": failpoint} if failpoint else {})}

    def run(self, day: int, target: str = "dst") -> list[str]:
        """The command of a scheduled run."""
        return ["run", "load", "--logical-date", f"2026-02-{day:02}", "--param", f"target={target}", "--json"]

    def execute(self, day: int, target: str = "dst") -> list[str]:
        """The command that a scheduler starts for the same task of the same run."""
        return ["exec", "load", "load", "--logical-date", f"2026-02-{day:02}", "--param", f"target={target}"]

    def resume(self) -> list[str]:
        """The command that takes the latest run up again."""
        return ["run", "--resume", str(self.latest_run()), "--json"]

    def latest_run(self) -> str | None:
        """The run that was begun last; None when none got so far."""
        file = self.folder / ".windlass" / "state.db"
        if not file.exists():
            return None
        with closing(sqlite3.connect(file, timeout=_TIMEOUT)) as state, suppress(sqlite3.OperationalError):
            found = state.execute("SELECT run_id FROM runs ORDER BY started DESC, rowid DESC LIMIT 1")
            return next((str(row[0]) for row in found), None)
        return None

    def remove(self) -> None:
        """Make room for other cases."""
        shutil.rmtree(self.folder.parent)
        if self.database != self.servers.target:
            query(
                self.servers.target,
                f"DROP DATABASE {self.database.rpartition('/')[2]} WITH (FORCE)",
                "SELECT 1",
            )

    # --- kills ---

    def wait_for_stopped_task(self, running: subprocess.Popen[str] | Started) -> int:
        """Wait until the task has stopped itself at its failpoint. Returns its process id."""
        found: list[int] = []

        def has_stopped() -> bool:
            if isinstance(running, Started):
                assert not running.has_ended(), f"the failpoint was not reached: {ended(running)}"
            else:
                assert running.poll() is None, f"the failpoint was not reached: {finished(running)}"
            found[:] = [pid for pid in family(running.pid) if _is_stopped(pid)]
            return bool(found)

        until(has_stopped, "the failpoint is reached", _TIMEOUT)
        return found[0]

    def tasks(self) -> list[tuple[int, str]]:
        """The processes of tasks, without their launchers."""
        return [
            (pid, line)
            for pid, line in processes(self.folder)
            if " exec " in line and "launcher.py" not in line
        ]

    def kill_everything(self, *also: int) -> None:
        """kill -9 for the run, what watches over its task, and the task, as when a container dies."""
        for pid in also:
            kill(pid)
        while found := processes(self.folder):
            for pid, _ in found:
                kill(pid)

    # --- checks ---

    def check(self, end: PostgresEnd | ParquetEnd | SqliteEnd, *, loads: int = 1) -> None:
        """The rows are right, the ledger has its entries, and nothing else is left."""
        found, expected = end.rows(), self.expected
        assert found == expected, (
            f"missing {list(expected - found)[:3]}, too many {list(found - expected)[:3]}"
        )
        bad = self.bad_lines
        counts = [(e.read, e.written, e.quarantined) for e in end.entries()]
        assert counts == [(len(NEW) + bad, len(NEW), bad)] * loads
        self.check_nothing_is_left(end)
        self._check_quarantine()

    def check_nothing_is_left(self, end: PostgresEnd | ParquetEnd | SqliteEnd) -> None:
        left: list[str] = []

        def is_clean() -> bool:
            left[:] = [*leftovers(self.folder, self.temporary), *end.leftovers()]
            return not left

        try:
            until(is_clean, "everything is gone")
        except AssertionError:
            raise AssertionError(f"left behind: {left}") from None

    def _check_quarantine(self) -> None:
        """Every bad line of the source was quarantined once."""
        if not self.bad_lines:
            return
        files = list((self.folder / ".windlass" / "runs").glob("*/quarantine/*.ndjson"))
        assert files
        for file in files:
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            assert len({row["id"] for row in rows}) == len(rows) == self.bad_lines


def finished(process: subprocess.Popen[str]) -> Done:
    """Wait for a command."""
    try:
        out, err = process.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it hangs: {process.args!r}\n{out!r}\n{err!r}") from None
    return Done(process.returncode, out, err)


def ended(command: Started) -> Done:
    """Wait for a command that was begun."""
    done = command.wait(_TIMEOUT)
    return Done(done.returncode, done.stdout, done.stderr)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def changes_once(reader: Reader, before: str, after: str) -> None:
    """A reader saw the old state, then the new one, and nothing else."""
    expected = [before] if before == after else [before, after]
    assert reader.seen == expected, f"a reader saw {reader.seen}, and not {expected}"


# --- data -------------------------------------------------------------------------------------------


def _write_parquet(path: Path) -> None:
    """The old rows as a file, or as the one file of a folder."""
    file = path
    if not path.suffix:
        path.mkdir()
        file = path / "old.parquet"
        (path / ".windlass-manifest.json").write_text(json.dumps({"loads": [], "files": [file.name]}))
    names = ("id", "name", "amount", "day")
    columns = zip(names, zip(*OLD, strict=True), _TYPES, strict=True)
    pq.write_table(pa.table({name: pa.array(values, kind) for name, values, kind in columns}), file)


def write_csv(file: Path) -> None:
    """The new rows, with some lines between them that do not fit."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "name", "amount", "day"])
        for position, row in enumerate(NEW):
            writer.writerow(row)
            if position % 400 == 7:
                writer.writerow([f"no number {position}", "bad", "1.00", "2020-01-01"])


def new_database(server: str) -> str:
    """An empty database on the server: its address."""
    name = f"faults_{uuid4().hex[:12]}"
    query(server, f"CREATE DATABASE {name}", "SELECT 1")
    return f"{server.rsplit('/', 1)[0]}/{name}"


def asyncpg_copy(url: str, table: str, rows: list[_Raw], *, key: bool = False) -> None:
    """A new table with these rows."""
    import asyncio

    async def work() -> None:
        connection = await asyncpg.connect(url)
        try:
            primary = ", PRIMARY KEY (id)" if key else ""
            await connection.execute(
                f"CREATE TABLE {table} ({_COLUMNS}{primary}); CREATE INDEX ON {table} (day)"
            )
            await connection.copy_records_to_table(table, records=rows)
        finally:
            await connection.close()

    asyncio.run(work())


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False

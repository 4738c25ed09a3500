"""An independent look at what a copy left behind: SQL and hashing of its own, nothing of the engine's code.

An `End` is one destination: its rows, a key of its state that is cheap to ask for again and again, and the
ledger's entries. A `Reader` polls that key as any other reader would. `leftovers` lists what must not be there.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq

Row: TypeAlias = tuple[str, str, str, str]
Rows: TypeAlias = "Counter[Row]"

_POLL = 0.02
_PATIENCE = 20.0


@dataclass(frozen=True)
class Entry:
    """What the ledger says about one load."""

    run_key: str
    read: int
    written: int
    quarantined: int
    load_id: object


class End(Protocol):
    """A destination, as the checker sees it."""

    def rows(self) -> Rows: ...

    def key(self) -> str:
        """The same for the same rows, whatever their order."""

    def entries(self) -> list[Entry]: ...

    def stamp(self) -> object:
        """Something that every commit changes, also one that leaves the same rows."""

    def leftovers(self) -> Iterator[str]: ...


def canonical(row: Sequence[Any]) -> Row:
    """A row as text, the same from every kind of destination."""
    number, name, amount, day = row
    return str(number), str(name), f"{Decimal(str(amount)):.2f}", str(day)


def counted(rows: Iterable[Sequence[Any]]) -> Rows:
    return Counter(map(canonical, rows))


def digest(rows: Rows) -> str:
    """The hash of a multiset of rows."""
    return hashlib.sha256("\n".join(sorted(map(repr, rows.elements()))).encode()).hexdigest()


def until(true: Callable[[], object], what: str, patience: float = _PATIENCE) -> None:
    """Wait for something that has to happen."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {patience:g} s"
        time.sleep(2 * _POLL)


# --- destinations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class PostgresEnd:
    """A table of four columns in a database of its own."""

    url: str
    table: str

    def rows(self) -> Rows:
        return counted(query(self.url, f"SELECT id, name, amount, day FROM {self.table}"))

    def key(self) -> str:
        keys: list[str] = []
        self.keys(lambda key: bool(keys.append(key)))  # type: ignore[func-returns-value]
        return keys[0]

    def entries(self) -> list[Entry]:
        sql = f"SELECT {_ENTRY} FROM _windlass_loads WHERE destination = 'public.{self.table}'"
        return [Entry(*row) for row in query(self.url, sql)]

    def stamp(self) -> object:
        try:
            return {entry.load_id for entry in self.entries()}
        except asyncpg.UndefinedTableError:
            return set()

    def leftovers(self) -> Iterator[str]:
        relations = (
            "SELECT relname FROM pg_class WHERE relname LIKE '\\_windlass%' AND relkind IN ('r', 'v', 'S') "
            "AND relname NOT IN ('_windlass_loads', '_windlass_turns', '_windlass_turns_ticket_seq') OR relpersistence = 't'"
        )
        sessions = (
            "SELECT pid || ' ' || state || ' ' || query FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'windlass%'"
        )
        for sql in (relations, sessions):
            yield from (str(row[0]) for row in query(self.url, sql))

    async def _key(self, connection: Any) -> str:
        sql = f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {self.table} AS t"
        try:
            return str(await connection.fetchrow(sql))
        except asyncpg.UndefinedTableError:
            return "no table"

    def keys(self, poll: Callable[[str], bool]) -> None:
        """Poll over one connection, until `poll` says that it is enough."""

        async def work() -> None:
            connection = await asyncpg.connect(self.url)
            seen, key = None, ""
            try:
                while True:
                    snapshot = await connection.fetchval("SELECT pg_current_snapshot()::text")
                    if snapshot != seen:  # something was committed on the server, perhaps to this table
                        seen, key = snapshot, await self._key(connection)
                    if not poll(key):
                        return
                    await asyncio.sleep(_POLL)
            finally:
                await connection.close()

        asyncio.run(work())


@dataclass(frozen=True)
class ParquetEnd:
    """A Parquet file, or a folder of them."""

    path: Path

    def rows(self) -> Rows:
        return counted(row for table in _tables(self.path) for row in _table_rows(table))

    def key(self) -> str:
        return digest(self.rows())

    def entries(self) -> list[Entry]:
        inside = self.path.is_dir() or not self.path.exists()
        file = self.path / ".windlass-manifest.json"
        if not inside:
            file = self.path.with_name(f".{self.path.name}.windlass.json")
        if not file.exists():
            return []
        loads = json.loads(file.read_text())["loads"]
        return [Entry(*(load[name] for name in _ENTRY.split(", "))) for load in loads]

    def stamp(self) -> object:
        return _state(self.path)

    def leftovers(self) -> Iterator[str]:
        known = {self.path.name, f".{self.path.name}.windlass.json"}
        for file in self.path.parent.iterdir():
            if self.path.name in file.name and file.name not in known:
                yield str(file)
        if not _is_free(self.path.parent):
            yield f"a lock on {self.path.parent}"

    def keys(self, poll: Callable[[str], bool]) -> None:
        seen: dict[object, str] = {}
        while True:
            state = _state(self.path)
            if state not in seen:
                seen[state] = self.key()
                if _state(self.path) != state:  # it changed while it was read: look again
                    del seen[state]
                    continue
            if not poll(seen[state]):
                return
            time.sleep(_POLL)


@dataclass(frozen=True)
class SqliteEnd:
    """A table of an SQLite file."""

    path: Path
    table: str

    def rows(self) -> Rows:
        return counted(self._query(f"SELECT id, name, amount, day FROM {self.table}"))

    def key(self) -> str:
        with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as connection:
            return self._key(connection)

    def _key(self, connection: sqlite3.Connection) -> str:
        try:
            return digest(
                counted(connection.execute(f"SELECT id, name, amount, day FROM {self.table}").fetchall())
            )
        except sqlite3.OperationalError as exc:
            if "no such table" not in str(exc):
                raise
            return "no table"

    def entries(self) -> list[Entry]:
        sql = f"SELECT {_ENTRY} FROM _windlass_loads WHERE destination = '{self.table}'"
        return [Entry(*row) for row in self._query(sql)]

    def stamp(self) -> object:
        try:
            return {entry.load_id for entry in self.entries()}
        except sqlite3.OperationalError as exc:
            if "no such table" not in str(exc):
                raise
            return set()

    def leftovers(self) -> Iterator[str]:
        for file in self.path.parent.iterdir():
            if file.name.startswith(self.path.name) and file != self.path:
                yield str(file)
        names = self._query("SELECT name FROM sqlite_master WHERE type = 'table'")
        yield from (
            name for (name,) in names if "windlass" in name and name[9:] not in ("_loads", "_writers")
        )

    def keys(self, poll: Callable[[str], bool]) -> None:
        with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as connection:
            version, key = None, ""
            while True:
                now = connection.execute("PRAGMA data_version").fetchone()
                if now != version:
                    version, key = now, self._key(connection)
                if not poll(key):
                    return
                time.sleep(_POLL)

    def _query(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as connection:
            return connection.execute(sql).fetchall()


_ENTRY = "run_key, rows_read, rows_written, rows_quarantined, load_id"


def query(url: str, *statements: str) -> list[Any]:
    """The rows of the last of some statements, over a connection of its own."""

    async def work() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return list(await connection.fetch(statements[-1]))
        finally:
            await connection.close()

    return asyncio.run(work())


def _table_rows(table: pa.Table) -> Iterator[Row]:
    columns = [table.column(name).to_pylist() for name in ("id", "name", "amount", "day")]
    return zip(*columns, strict=True)


def _tables(path: Path) -> list[pa.Table]:
    """The content of the file, or of the files of the folder that was there at one moment."""
    if not path.is_dir():
        return [pq.read_table(pa.BufferReader(path.read_bytes()))] if path.exists() else []
    folder = os.open(path, os.O_RDONLY)  # the folder may be exchanged meanwhile; this one stays the same
    try:
        names = os.listdir(folder)  # noqa: PTH208 - of a descriptor
        return [_table_at(name, folder) for name in sorted(names) if name.endswith(".parquet")]
    except FileNotFoundError:  # it was exchanged, and is being removed
        return _tables(path)
    finally:
        os.close(folder)


def _table_at(name: str, folder: int) -> pa.Table:
    with open(os.open(name, os.O_RDONLY, dir_fd=folder), "rb") as file:  # noqa: PTH123 - relative to a descriptor
        return pq.read_table(pa.BufferReader(file.read()))


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


# --- another reader ---------------------------------------------------------------------------------


@dataclass
class Reader:
    """Reads a destination every 20 ms while something happens to it."""

    end: PostgresEnd | ParquetEnd | SqliteEnd
    seen: list[str] = field(default_factory=list)
    """The keys, in order, without repetitions."""

    polls: int = 0
    _error: Exception | None = None

    def __enter__(self) -> Self:
        self._done, self._begun = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self._begun.wait(_PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if self._error is not None:
            raise AssertionError("a reader was disturbed") from self._error

    def _read(self) -> None:
        try:
            self.end.keys(self._note)
        except Exception as exc:  # noqa: BLE001 - it is raised where the reader is waited for
            self._error = exc
        finally:
            self._begun.set()

    def _note(self, key: str) -> bool:
        done = self._done.is_set()  # one look more than asked for: the last state is always seen
        self.polls += 1
        if self.seen[-1:] != [key]:
            self.seen.append(key)
        self._begun.set()
        return not done


# --- what must not be there -------------------------------------------------------------------------


def leftovers(project: Path, temporary: Path) -> Iterator[str]:
    """Processes, temporary files and held locks of a project."""
    for pid, command in processes(project):
        yield f"process {pid}: {command}"
    for folder in (temporary, project / ".windlass" / "tmp"):
        if folder.exists():
            yield from map(str, folder.iterdir())
    for lock in (project / ".windlass" / "runs").glob("*/lock"):
        if not _is_free(lock):
            yield f"a lock on {lock}"
    for file in (project / ".windlass" / "runs").glob("*/quarantine/.*"):
        yield str(file)


def processes(project: Path) -> list[tuple[int, str]]:
    """The processes that work for a project: their ids and command lines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if f"{project}" in command and int(folder.name) != os.getpid():
            found.append((int(folder.name), command))
    return found


def family(pid: int) -> Iterator[int]:
    """A process and all that it has started, as far as they are its descendants still."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from family(int(child))


def _is_free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True

"""What is new of a table, whatever order transactions took their numbers in and committed: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.connectors.database import Database
from tests.connectors.schedules import COLUMNS, NO_TABLES, TABLES, Schedule
from tests.faults.test_servers import FAST, Server
from windlass.connections import Address
from windlass.connectors.cursors import find_new
from windlass.connectors.postgres.catalog import require_table
from windlass.connectors.postgres.reading.cursor import ROWS, PostgresCursor
from windlass.connectors.postgres.reading.new_rows import Mark, NewRows, find_new_rows, has_numbers
from windlass.connectors.postgres.session import Session
from windlass.connectors.source import Since
from windlass.devservices import DevServices
from windlass.plan.model import Connection

SESSIONS, LENGTH = 4, 30
LATE: dict[str, int | str] = {"id": 1000, "at": "1h", "local": "1d"}
"""Cursors, and lookbacks that are longer than any schedule."""


class Loader:
    """Loads the tokens of what is new, as an append would."""

    def __init__(self, address: Address) -> None:
        self.session = Session(address)
        self.mark: Mark | None = None
        self.found: NewRows | None = None

    def load(self, *, cursor: str | None = None) -> list[int]:
        self.found = self._found(cursor)
        tokens = [
            row["token"]
            for row in self.session.fetch(
                f"SELECT token FROM t WHERE {self.found.condition_in(self.session)}"
            )
        ]
        highest = self.session.value(f"SELECT max({cursor})::text FROM t") if cursor else None
        self.mark = Mark.from_json(replace(self.found.mark, cursor=highest).to_json())
        self.session.execute("COMMIT")
        return tokens

    def _found(self, cursor: str | None) -> NewRows:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE t IN ACCESS SHARE MODE"
        while True:
            self.session.execute(begin)
            table = require_table(self.session, "t", "t")
            column = table.column(cursor) if cursor else None
            found = find_new_rows(self.session, table, self.mark, column)
            if not found.now.passing:
                return found
            self.session.execute("ROLLBACK")  # somebody else on this server has just ended

    def doubtful(self) -> int:
        """How many of the rows of the last load may have been loaded before."""
        assert self.found is not None
        if self.found.doubtful is None:
            return 0
        self.session.execute("BEGIN")  # ages of one transaction do not fit another, once others have begun
        try:
            where = f"{self.found.condition_in(self.session)} AND ({self.found.doubtful})"
            return int(self.session.value(f"SELECT count(*) FROM t WHERE {where}"))
        finally:
            self.session.execute("COMMIT")


class CursorLoader:
    """Loads the tokens of what is new in the view `v`, as an append by a cursor would."""

    def __init__(self, address: Address, cursor: str) -> None:
        self.session, self.cursor = Session(address), cursor
        self.mark: str | None = None

    def load(self) -> list[int]:
        self.session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        columns = require_table(self.session, "v", "v").columns
        cursor = next(column for column in columns if column.name == self.cursor)
        sql = PostgresCursor(self.session, columns, cursor)
        since = Since(last=self.mark, cursor=self.cursor, lookback=LATE[self.cursor])
        condition, self.mark = find_new(sql, f"v AS {ROWS}", since, "v")
        rows = self.session.fetch(f"SELECT token FROM v AS {ROWS} WHERE {condition or 'true'}")
        self.session.execute("COMMIT")
        return [row["token"] for row in rows]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of our own, that knows prepared transactions, and that can be stopped."""
    folder = tmp_path_factory.mktemp("server")
    services = DevServices(folder, folder)
    address = services.start("server", Connection(type="postgres"))
    Database(address).run("ALTER SYSTEM SET max_prepared_transactions = 20")
    server = Server(address)
    server.stop(FAST)
    server.start()
    yield server
    server.end()
    services.close()


@pytest.mark.parametrize("table", list(TABLES))
def test_random_schedules_lose_nothing_and_read_nothing_twice(
    server: Server, table: str, pytestconfig: pytest.Config
) -> None:
    seeds = seeds_of(pytestconfig)
    asyncio.run(play(server, table, lambda: Loader(server.address), seeds))


@pytest.mark.parametrize("cursor", list(LATE))
@pytest.mark.parametrize("table", list(TABLES))
def test_random_schedules_lose_nothing_and_read_nothing_twice_by_a_cursor(
    server: Server, table: str, cursor: str, pytestconfig: pytest.Config
) -> None:
    seeds = seeds_of(pytestconfig)
    asyncio.run(play(server, table, lambda: CursorLoader(server.address, cursor), seeds[:: len(LATE)]))


def seeds_of(config: pytest.Config) -> range:
    first = int(config.getoption("seed"))
    return range(first, first + int(config.getoption("faults")))


async def play(
    server: Server, table: str, make_loader: Callable[[], Loader | CursorLoader], seeds: Iterable[int]
) -> None:
    settings = {"lock_timeout": "3ms", "client_min_messages": "error"}
    connections = [await connected(server.address, settings) for _ in range(SESSIONS)]
    anew = f"{NO_TABLES} {TABLES[table]}; CREATE VIEW v AS TABLE t"
    for seed in seeds:
        # as long as it takes: the server may be cleaning up the tables of the last schedule
        await connections[0].execute(f"SET lock_timeout = 0; {anew}; RESET lock_timeout")
        loader = make_loader()
        schedule = Schedule(seed, table, connections, partial(asyncio.to_thread, loader.load))
        await schedule.play(LENGTH)
        loader.session.close()
    for connection in connections:
        await connection.close()


@pytest.fixture
def loader(make_postgres: Callable[[str], Database]) -> Iterator[tuple[Database, Loader]]:
    database = make_postgres(f"CREATE TABLE t {COLUMNS}; INSERT INTO t (token) VALUES (1), (2)")
    loader = Loader(database.address)
    yield database, loader
    loader.session.close()


@pytest.mark.parametrize(
    "rewriting",
    [
        "ALTER TABLE t ALTER part TYPE bigint",
        "CREATE TABLE new AS TABLE t; DROP TABLE t; ALTER TABLE new RENAME TO t",
        "TRUNCATE t; INSERT INTO t (id, token) VALUES (1, 1), (2, 2)",
    ],
)
def test_rows_that_were_written_anew_are_doubtful_until_the_cursor_is_past_them(
    loader: tuple[Database, Loader], rewriting: str
) -> None:
    database, reader = loader
    assert reader.load(cursor="id") == [1, 2]
    database.run(f"{rewriting}; INSERT INTO t (id, token) VALUES (10, 3)")
    assert 3 in reader.load(cursor="id")
    assert reader.found is not None
    assert reader.found.because
    assert reader.doubtful() == 2
    database.run("INSERT INTO t (id, token) VALUES (4, 4)")
    assert (reader.load(cursor="id"), reader.doubtful()) == ([4], 0)


def test_vacuum_full_moves_rows_and_leaves_them_what_they_are(loader: tuple[Database, Loader]) -> None:
    database, reader = loader
    assert reader.load() == [1, 2]
    database.run("VACUUM FULL t")
    assert (reader.load(), reader.doubtful()) == ([], 0)


@pytest.mark.parametrize(
    "relation",
    [
        "CREATE VIEW r AS TABLE t",
        "CREATE MATERIALIZED VIEW r AS TABLE t",
        """
        CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;
        CREATE FOREIGN TABLE f (part int) SERVER s; CREATE TABLE r (part int) PARTITION BY LIST (part);
        ALTER TABLE r ATTACH PARTITION f DEFAULT
        """,
    ],
)
def test_what_does_not_keep_its_numbers_is_told(loader: tuple[Database, Loader], relation: str) -> None:
    database, reader = loader
    database.run(relation)
    assert not has_numbers(reader.session, require_table(reader.session, "r", "r"))
    assert has_numbers(reader.session, require_table(reader.session, "t", "t"))


def test_numbers_that_come_round_again_are_doubtful(server: Server) -> None:
    """The server is set forward by 2^32 transactions: the old rows' numbers lie before it once more."""
    database = Database(server.address)
    database.run(f"{NO_TABLES} CREATE TABLE t {COLUMNS}; INSERT INTO t (id, token) VALUES (1, 1)")
    reader = Loader(server.address)
    assert reader.load(cursor="id") == [1]
    before = int(database.value("SELECT xmin::text FROM t"))
    reader.session.close()

    set_forward(server, epoch=1, next_number=before - 60)
    database.run("INSERT INTO t (id, token) VALUES (2, 2)")
    reader.session = Session(server.address)
    assert (sorted(reader.load(cursor="id")), reader.doubtful()) == ([1, 2], 1)
    database.run("INSERT INTO t (id, token) VALUES (3, 3)")
    assert (reader.load(cursor="id"), reader.doubtful()) == ([3], 0)

    database.run("INSERT INTO t (id, token) VALUES (4, 4)")
    burn(server, until=(1 << 32) + before + 5)
    assert sorted(reader.load(cursor="id")) == [1, 4]
    assert reader.doubtful() == 1
    assert reader.load(cursor="id") == []
    reader.session.close()


def set_forward(server: Server, *, epoch: int, next_number: int) -> None:
    """Stop the server, freeze everything before, and let it go on with another number."""
    database = Database(server.address)
    database.run("ALTER DATABASE template0 ALLOW_CONNECTIONS true")
    for name in ("template0", "template1", "postgres"):
        Database(replace(server.address, database=name)).run("VACUUM (FREEZE)")
    database.run("CHECKPOINT")
    programs = Path(server.command[0]).parent
    server.stop(FAST)
    subprocess.run(
        [programs / "pg_resetwal", "-e", str(epoch), "-x", str(next_number), server.data],
        check=True, user=server.user, cwd="/", capture_output=True,
    )  # fmt: skip
    server.start()


def burn(server: Server, *, until: int) -> None:
    """Take numbers until that one is reached."""

    async def take() -> None:
        connection = await connected(server.address, {})
        while await connection.fetchval("SELECT pg_current_xact_id()::text::int8") < until:
            pass
        await connection.close()

    asyncio.run(take())


async def connected(address: Address, settings: dict[str, str]) -> Any:
    return await asyncpg.connect(
        host=address.host, port=address.port, user=address.user, password=address.password,
        database=address.database, server_settings=settings,
    )  # fmt: skip

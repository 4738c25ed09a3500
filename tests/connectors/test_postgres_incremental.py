"""Incremental copies from Postgres while others write: no row is read twice, and none is skipped."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest

from tests.connectors.database import Database
from tests.connectors.schedules import COLUMNS, NO_TABLES, TABLES, Schedule
from tests.connectors.test_postgres_new_rows import LATE, connected
from windlass.connections import Address
from windlass.errors import Code, FatalError
from windlass.plan.model import Destination, Incremental, Partition, Source
from windlass.testing import Copier, destination_of, source_of

TABLE = source_of(connection="x", table="t")
QUERY = source_of(connection="x", query="SELECT * FROM t")
VIEW = source_of(connection="x", table="v")
APPEND = destination_of(connection="y", table="t", mode="append")
ELSEWHERE = destination_of(connection="sqlite", table="t", mode="append")


@pytest.fixture
def pair(make_postgres: Callable[[str], Database], copier: Copier) -> tuple[Database, Database]:
    source, target = make_postgres(f"CREATE TABLE t {COLUMNS}"), make_postgres("")
    copier.addresses.update(x=source.address, y=target.address)
    return source, target


Reader = Callable[[Database, str], Address]


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Makes a role that has only these privileges on `t`."""
    made: list[tuple[Database, str]] = []

    def make(database: Database, privileges: str) -> Address:
        name = f"reader_{uuid4().hex[:12]}"
        made.append((database, name))
        database.run(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'; GRANT {privileges} ON t TO {name}")
        return replace(database.address, user=name, password="secret")

    yield make
    for database, name in made:
        database.run(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.mark.parametrize("to", [APPEND, ELSEWHERE], ids=["postgres", "sqlite"])
@pytest.mark.parametrize("cursor", [None, "id", "at"])
@pytest.mark.parametrize("table", list(TABLES))
def test_random_schedules_lose_nothing_and_read_nothing_twice(
    make_postgres: Callable[[str], Database],
    copier: Copier,
    table: str,
    cursor: str | None,
    to: Destination,
    pytestconfig: pytest.Config,
) -> None:
    """What test_postgres_new_rows.py plays for what tells new rows, played for whole copies."""
    source, target = make_postgres(NO_TABLES + TABLES[table]), make_postgres("")
    copier.addresses.update(x=source.address, y=target.address)
    incremental = Incremental(cursor=cursor, lookback=LATE[cursor] if cursor else None)

    async def load() -> list[int]:
        def loaded() -> list[int]:
            before = tokens(copier, target, to)
            copier(TABLE, to, incremental=incremental)
            return list((tokens(copier, target, to) - before).elements())

        return await asyncio.to_thread(loaded)

    async def play() -> None:
        settings = {"lock_timeout": "3ms", "client_min_messages": "error"}
        connections = [await connected(source.address, settings) for _ in range(4)]
        await Schedule(int(pytestconfig.getoption("seed")), table, connections, load).play(30)
        for connection in connections:
            await connection.close()

    asyncio.run(play())


@pytest.mark.parametrize("from_", [TABLE, QUERY, VIEW], ids=["table", "query", "view"])
@pytest.mark.parametrize("cursor", ["id", "at"])
def test_a_row_whose_transaction_was_open_is_read_the_next_time(
    pair: tuple[Database, Database], copier: Copier, cursor: str, from_: Source
) -> None:
    source, target = pair
    load = partial(copier, from_, APPEND, incremental=Incremental(cursor=cursor, lookback=LATE[cursor]))
    source.run("CREATE VIEW v AS TABLE t; INSERT INTO t (token) VALUES (1)")
    load()

    async def overtaken() -> None:
        slow = await connected(source.address, {})
        async with slow.transaction():
            await slow.execute("INSERT INTO t (token) VALUES (2)")  # takes an id, and does not commit yet
            await asyncio.to_thread(source.run, "INSERT INTO t (token) VALUES (3)")
            await asyncio.to_thread(load)
        await slow.close()

    asyncio.run(overtaken())
    assert set(tokens(copier, target, APPEND)) <= {1, 3}
    for _ in range(2):
        load()
        assert tokens(copier, target, APPEND) == Counter([1, 2, 3])


@pytest.mark.parametrize("from_", [QUERY, VIEW], ids=["query", "view"])
def test_what_is_not_a_table_has_to_say_how_late_a_row_may_come(
    pair: tuple[Database, Database], copier: Copier, from_: Source
) -> None:
    pair[0].run("CREATE VIEW v AS TABLE t")
    with pytest.raises(FatalError, match="is not a table") as caught:
        copier(from_, APPEND, incremental=Incremental(cursor="id"))
    assert caught.value.code is Code.CURSOR
    assert "lookback: 1h" in str(caught.value.hint)


def test_a_table_that_was_rewritten_is_appended_to_no_second_time(
    pair: tuple[Database, Database], copier: Copier
) -> None:
    source, target = pair
    append = partial(copier, TABLE, APPEND, incremental=Incremental())
    source.run("INSERT INTO t (token) VALUES (1), (2)")
    append()
    source.run("ALTER TABLE t ALTER token TYPE numeric; INSERT INTO t (token) VALUES (3)")
    with pytest.raises(FatalError, match=r"3 rows may have been loaded before: the table was rewritten"):
        append()
    assert tokens(copier, target, APPEND) == Counter([1, 2])


def test_a_merge_reads_the_rows_of_a_table_that_was_rewritten_again(
    pair: tuple[Database, Database], copier: Copier
) -> None:
    source, target = pair
    merge = destination_of(connection="y", table="t", mode="merge", key=["id"])
    source.run("INSERT INTO t (token) VALUES (1), (2)")
    copier(TABLE, merge, incremental=Incremental())
    source.run("VACUUM FULL t")
    source.run("ALTER TABLE t ALTER part TYPE bigint; UPDATE t SET token = 7 WHERE token = 2")
    target.run("ALTER TABLE t ALTER part TYPE bigint")
    assert copier(TABLE, merge, incremental=Incremental()).counts.read == 2
    assert tokens(copier, target, merge) == Counter([1, 7])


@pytest.mark.parametrize("by", ["ctid", "id"])
def test_new_rows_are_read_in_parts_too(pair: tuple[Database, Database], copier: Copier, by: str) -> None:
    """Each part is read by a session of its own, whose clock of transactions is another one."""
    source, target = pair
    for first in (0, 5000):
        source.run(f"INSERT INTO t (token) SELECT {first} + i FROM generate_series(1, 5000) i")
        result = copier(TABLE, APPEND, incremental=Incremental(), partition=Partition(by=by, parts=3))
        assert (result.counts.read, result.path) == (5000, "copy-binary in 3 parts")
    assert tokens(copier, target, APPEND) == Counter(range(1, 10001))


def test_rows_that_row_level_security_hides_are_an_error(
    pair: tuple[Database, Database], copier: Copier, reader: Reader
) -> None:
    source, _ = pair
    source.run("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (part = 1)")
    copier.addresses["x"] = reader(source, "SELECT")
    with pytest.raises(FatalError, match="row-level security"):
        copier(TABLE, APPEND, incremental=Incremental())


def tokens(copier: Copier, target: Database, to: Destination) -> Counter[int]:
    """What is in the destination."""
    if to.connection == "sqlite":
        with closing(sqlite3.connect(copier.addresses["sqlite"].database)) as file:
            known = file.execute("SELECT 1 FROM sqlite_master WHERE name = 't'").fetchall()
            return Counter(row[0] for row in file.execute("SELECT token FROM t")) if known else Counter()
    known = target.value("SELECT to_regclass('t')")
    return Counter(int(row[0]) for row in target.rows("SELECT token FROM t")) if known else Counter()


def test_a_transaction_of_another_database_holds_nothing_back(
    pair: tuple[Database, Database], copier: Copier, make_postgres: Callable[[str], Database]
) -> None:
    source, target = pair
    elsewhere = make_postgres("CREATE TABLE busy (i int)")

    async def play() -> None:
        other = await connected(elsewhere.address, {})
        async with other.transaction():
            await other.execute("INSERT INTO busy VALUES (1)")
            await asyncio.to_thread(source.run, "INSERT INTO t (token) VALUES (1)")
            await asyncio.to_thread(copier, TABLE, APPEND, incremental=Incremental())
        await other.close()

    asyncio.run(play())
    assert tokens(copier, target, APPEND) == Counter([1])
    assert copier(TABLE, APPEND, incremental=Incremental()).counts.read == 0


@pytest.mark.parametrize("from_", [TABLE, QUERY], ids=["table", "query"])
def test_the_highest_value_is_the_highest_by_its_type(
    pair: tuple[Database, Database], copier: Copier, from_: Source
) -> None:
    source, target = pair
    load = partial(copier, from_, APPEND, incremental=Incremental(cursor="id", lookback=0.5))
    source.run("INSERT INTO t (id, token) SELECT i, i FROM generate_series(1, 10) i")
    load()
    source.run("UPDATE t SET part = 7 WHERE id = 9; INSERT INTO t (id, token) VALUES (11, 11)")
    assert load().counts.read == 1
    assert tokens(copier, target, APPEND) == Counter(range(1, 12))

"""Incremental copies from Postgres while others write: no row is read twice, and none is skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.connectors.conftest import Copier, Database
from tests.copies import destination_of, source_of
from windlass.plan.model import Source

END = destination_of(connection="y", table="t", mode="append")
COLUMNS = "id serial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp()"


@pytest.fixture
def pair(make_postgres: Callable[[str], Database], copier: Copier) -> tuple[Database, Database]:
    source, target = make_postgres(f"CREATE TABLE t ({COLUMNS})"), make_postgres("")
    copier.addresses.update(x=source.address, y=target.address)
    return source, target


@pytest.mark.parametrize("cursor", ["id", "at"])
@pytest.mark.parametrize(
    "from_", [source_of(connection="x", table="t"), source_of(connection="x", query="SELECT * FROM t")]
)
def test_a_row_whose_transaction_was_open_is_read_the_next_time(
    pair: tuple[Database, Database],
    copier: Copier,
    cursor: str,
    from_: Source,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("windlass.connectors.postgres.reading.watermark._PATIENCE", 0.1)
    source, target = pair
    source.run("INSERT INTO t DEFAULT VALUES")
    copier(from_, END, cursor=cursor)

    async def overtaken() -> None:
        slow = await connected(source)
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute("INSERT INTO t DEFAULT VALUES")  # takes id 2, and does not commit yet
        await asyncio.to_thread(source.run, "INSERT INTO t DEFAULT VALUES")
        await asyncio.to_thread(copier, from_, END, cursor=cursor)
        await transaction.commit()
        await slow.close()

    asyncio.run(overtaken())
    assert set(target.rows("SELECT id FROM t")) <= {(1,), (3,)}
    copier(from_, END, cursor=cursor)
    copier(from_, END, cursor=cursor)
    assert target.rows("SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,)]


async def connected(database: Database) -> Any:
    where = database.address
    return await asyncpg.connect(
        host=where.host, port=where.port, user=where.user, password=where.password, database=where.database
    )

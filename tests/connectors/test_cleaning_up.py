"""What goes wrong after the commit changes nothing about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.connectors.database import Database
from windlass import logs
from windlass.connectors.duckdb.destination import DuckdbLoad
from windlass.connectors.files.reading.source import FileSource
from windlass.connectors.files.writing.load import FileLoad
from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.silence import keep_alive
from windlass.connectors.postgres.writing.destination import PostgresDestination, PostgresLoad
from windlass.connectors.scratch import Scratch
from windlass.connectors.sqlite.destination import SqliteDestination, SqliteLoad
from windlass.errors import FatalError, RetryableError
from windlass.testing import Copier, destination_of, source_of

LOADS: dict[str, Any] = {
    "postgres": PostgresLoad,
    "sqlite": SqliteLoad,
    "duckdb": DuckdbLoad,
    "out.csv": FileLoad,
}
CLOSED: dict[str, Any] = {"source": FileSource, "postgres": PostgresDestination, "sqlite": SqliteDestination}


def failing(whole: Callable[..., None]) -> Callable[..., None]:
    def fail(*args: object) -> None:
        whole(*args)
        raise OSError(5, "Input/output error")

    return fail


@pytest.fixture
def copy(copier: Copier, postgres: Database) -> Callable[[str], int]:
    copier.addresses["postgres"] = postgres.address
    (copier.folder / "in.csv").write_text("id\n1\n2\n")

    def run(end: str) -> int:
        to = destination_of(path=end) if "." in end else destination_of(end, table="t")
        return copier(source_of(path="in.csv"), to).counts.written

    return run


@pytest.mark.parametrize("end", LOADS)
def test_a_load_that_cannot_be_left_is_loaded(
    end: str, copy: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[logs.Record] = []
    monkeypatch.setattr(logs, "_sink", said.append)
    monkeypatch.setattr(LOADS[end], "__exit__", failing(LOADS[end].__exit__))
    assert copy(end) == 2
    assert [line["because"] for line in said if line["event"] == "clean_up_failed"] == ["Input/output error"]


@pytest.mark.parametrize("end", CLOSED)
def test_an_end_that_cannot_be_closed_is_loaded(
    end: str, copy: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLOSED[end], "close", failing(CLOSED[end].close))
    assert copy("sqlite" if end == "source" else end) == 2


def test_a_scratch_database_that_cannot_be_closed_hides_nothing(
    copy: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scratch, "__exit__", failing(Scratch.__exit__))
    assert copy("out.csv") == 2
    monkeypatch.setattr(FileLoad, "commit", failing(lambda *_: None))
    with pytest.raises((OSError, FatalError), match="Input/output error"):
        copy("out.csv")


def test_closing_a_session_never_raises(postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(postgres.address)

    async def silent(*_: object, **__: object) -> None:
        raise TimeoutError

    async def cut() -> None:  # by the thread that the connection belongs to
        session.connection.terminate()

    monkeypatch.setattr(type(session.connection), "close", silent)
    session.close()
    with pytest.raises(RetryableError):
        session.run(silent())
    session.run(cut())


def test_a_connection_that_is_lost_right_away_is_a_lost_connection(postgres: Database) -> None:
    """It has no socket any more when the kernel is to be told how long to wait for it."""
    session = Session(postgres.address)
    session.run(_abort(session))
    keep_alive(session.connection, 1.0)
    with pytest.raises(RetryableError):
        session.execute("SELECT 1")


async def _abort(session: Session) -> None:
    session.connection._transport.abort()  # type: ignore[attr-defined] # it has no public name
    await asyncio.sleep(0)

"""The database of the history, kept open during a run: it is as one that is opened for each transaction."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from windlass.errors import Code, FatalError
from windlass.runner.database import Database


def values(file: Path) -> list[int]:
    with Database(file).connected() as connection:
        return [value for (value,) in connection.execute("SELECT n FROM t ORDER BY n")]


def put(database: Database, *numbers: int | None) -> None:
    with database.transaction() as connection:
        for n in numbers:
            connection.execute("INSERT INTO t VALUES (?)", (n,))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "state" / "file.db"
    found.parent.mkdir()
    made(found)
    return found


def made(file: Path) -> None:
    with Database(file).connected() as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n NOT NULL)")


def test_what_is_saved_is_there_for_all_at_once(file: Path) -> None:
    database = Database(file)
    with database.kept_open(), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: put(database, n), range(8)))
        assert values(file) == [*range(8)]
        put(Database(file), 8)
        with database.connected() as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 9
        with pytest.raises(FatalError, match="NOT NULL"):
            put(database, 21, None)
        put(database, 22)
    put(database, 23)
    assert values(file) == [*range(9), 22, 23]


def test_a_file_that_goes_away_is_noticed(file: Path) -> None:
    database = Database(file)
    with database.kept_open():
        put(database, 1)
        shutil.rmtree(file.parent)
        with pytest.raises(FatalError, match="is gone") as told:
            put(database, 2)
    assert told.value.code == Code.STATE


def test_another_file_in_its_place_is_used(file: Path) -> None:
    database = Database(file)
    with database.kept_open():
        put(database, 1)
        shutil.rmtree(file.parent)
        file.parent.mkdir()
        made(file)
        put(database, 2)
    assert values(file) == [2]


def test_what_is_kept_open_survives_a_kill(file: Path, tmp_path: Path) -> None:
    """What a copy of its files has at that moment is what the next process finds."""
    database = Database(file)
    with database.kept_open():
        put(database, 1)
        shutil.copytree(file.parent, tmp_path / "copy")
    with sqlite3.connect(tmp_path / "copy" / file.name) as connection:
        assert connection.execute("SELECT n FROM t").fetchall() == [(1,)]
    connection.close()

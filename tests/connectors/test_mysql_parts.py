"""Parts of a table of MySQL, each a load of its own into Postgres: every row in exactly one of them, once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from tests.connectors.database import Database
from tests.connectors.mysql_database import MysqlDatabase
from windlass import failpoints
from windlass.connectors.source import Part
from windlass.engine import Job, Outcome
from windlass.engine.copying import copy
from windlass.engine.splitting import split
from windlass.errors import FatalError, RetryableError, WindlassError
from windlass.plan.model import Destination, Partition
from windlass.testing import Copier, destination_of, source_of

ROWS = (
    (
        "CREATE TABLE t (id int PRIMARY KEY, small tinyint unsigned, big bigint unsigned, amount decimal(20,4), day date, "
        "at datetime(6), seen timestamp(3) NULL, bits bit(12), name varchar(20), rough double)"
    ),
    (
        "INSERT INTO t SELECT seq, seq % 100, 18446744073709551615 - seq, seq * 1.2345 - 500, DATE '2020-01-01' + INTERVAL seq DAY, "
        "TIMESTAMP '2020-01-01 00:00:00' + INTERVAL seq * 977 SECOND, TIMESTAMP '2021-01-01 00:00:00' + INTERVAL seq MINUTE, "
        "seq, CONCAT('n', seq), seq / 3 FROM seq_1_to_1000"
    ),
    "INSERT INTO t (id) VALUES (-5), (5000)",  # in all other columns they have NULL
    "INSERT INTO t (id, day, at) VALUES (6000, '0000-00-00', '0000-00-00 00:00:00')",
)
COLUMNS = ["id", "small", "big", "amount", "day", "at", "seen", "bits"]
APPEND = destination_of(connection="y", table="t", mode="append")
MERGE = destination_of(connection="y", table="t", mode="merge", key=("id",))


@pytest.fixture
def target(mysql: MysqlDatabase, make_postgres: Callable[[str], Database], copier: Copier) -> Database:
    """An empty database, beside a source with 1,003 rows."""
    mysql.run("SET sql_mode = ''", *ROWS)
    made = make_postgres("")
    copier.addresses |= {"x": mysql.address, "y": made.address}
    return made


@pytest.fixture
def job(copier: Copier) -> Callable[..., Job]:
    def make(by: str = "id", destination: Destination = APPEND, parts: int = 4, **options: Any) -> Job:
        source = source_of(connection="x", table="t", zero_dates="null")
        return copier.job(source, destination, "k", partition=Partition(by=by, parts=parts), **options)

    return make


def load(job: Job, part: Part) -> Outcome:
    """One part, as its task loads it."""
    copied = structs.replace(job.copy, partition=None)
    return copy(replace(job, copy=copied, part=part, identity=replace(job.identity, part=part.name)))


def ids(database: Database) -> list[int]:
    return [row[0] for row in database.rows("SELECT id FROM t ORDER BY id")]


ALL = [-5, *range(1, 1001), 5000, 6000]


@pytest.mark.parametrize("by", COLUMNS)
def test_each_row_is_in_one_part(by: str, target: Database, job: Callable[..., Job]) -> None:
    parts = split(job(by))
    assert [part.name for part in parts] == ["1/4", "2/4", "3/4", "4/4"]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda part: load(job(by), part), parts))
    assert ids(target) == ALL
    if by != "id":  # whose greatest numbers are far from the others
        assert min(outcome.counts.written for outcome in outcomes) >= 200
    assert split(job(by)) == parts
    assert all(load(job(by), part).skipped for part in parts)
    assert ids(target) == ALL


@pytest.mark.parametrize("destination", [APPEND, MERGE], ids=lambda d: d.mode)
def test_a_part_that_failed_is_loaded_again_alone(
    destination: Destination,
    target: Database,
    mysql: MysqlDatabase,
    job: Callable[..., Job],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where rows have come meanwhile: those of a part that is there are not read again by an `append`."""
    what = job(destination=destination)
    parts = split(what)
    load(what, parts[0])
    with monkeypatch.context() as lost:
        lost.setattr(failpoints, "reach", lose)
        with pytest.raises(WindlassError, match="lost"):
            load(what, parts[1])
    assert len(ids(target)) == load_size(mysql, parts[0])
    mysql.run("INSERT INTO t (id) VALUES (2000), (7000)")
    for part in split(what):
        load(what, part)
    assert ids(target) == sorted([*ALL, 2000, 7000])


def lose(point: str) -> None:
    if point == "before-commit":
        raise RetryableError("lost")


def load_size(mysql: MysqlDatabase, part: Part) -> int:
    return int(mysql.rows(f"SELECT count(*) FROM t WHERE id < {part.high}")[0][0])


def test_without_a_scheduler_it_is_one_load(target: Database, job: Callable[..., Job]) -> None:
    assert copy(job()).counts.written == len(ALL)
    assert ids(target) == ALL


def test_what_cannot_be_split_is_told(
    target: Database, mysql: MysqlDatabase, job: Callable[..., Job]
) -> None:
    for by in ("name", "rough", "nothing"):
        with pytest.raises(FatalError, match="expected a column of exact numbers, dates or times"):
            split(job(by))
    with pytest.raises(FatalError, match="is not a bound of the column 'id'"):
        load(job(destination=MERGE), Part("1/2", "id", None, "1 OR true"))
    mysql.run("DELETE FROM t")
    assert split(job(destination=MERGE)) == [Part()]
    mysql.run("INSERT INTO t (id) VALUES (1), (2)")
    assert len(split(job(destination=MERGE))) == 2

"""What every pair of ends does alike: the rows that arrive, and what starting again changes."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import duckdb
import pytest

from tests.connectors.conftest import Copier, Database
from tests.connectors.ends import NEW, OLD, Kit, Row
from tests.copies import destination_of, source_of
from windlass.engine.copying import copy
from windlass.engine.settling import settle
from windlass.errors import FatalError, RetryableError
from windlass.plan.model import Mode

ENDS = ("postgres", "sqlite", "duckdb", "csv", "json", "ndjson", "parquet")
DATABASES = ("postgres", "sqlite", "duckdb")
AFTER: dict[Mode, list[Row]] = {
    "replace": NEW,
    "append": sorted([*OLD, *NEW], key=str),
    "merge": [*OLD[:2], *NEW],
}


@pytest.fixture
def kit(copier: Copier, postgres: Database) -> Kit:
    return Kit(copier, postgres)


@pytest.mark.parametrize("to", ENDS)
@pytest.mark.parametrize("from_", ENDS)
def test_all_rows_arrive_in_every_mode_and_once(kit: Kit, from_: str, to: str) -> None:
    old, new = kit.source(from_, OLD), kit.source(from_, NEW)
    for mode, expected in AFTER.items():
        kit.copier(old, kit.destination(to, "replace"))
        assert kit.rows(to) == OLD
        counts = kit.copier(new, kit.destination(to, mode), run_key=mode).counts
        assert (counts.read, counts.written) == (2, 2)
        if mode == "merge":
            assert (counts.inserted, counts.updated, counts.unchanged) == (1, 1, 0)
        assert sorted(kit.rows(to), key=str) == sorted(expected, key=str)
        again = kit.copier(new, kit.destination(to, mode), run_key=mode)
        assert again.skipped == (mode == "append")
        assert sorted(kit.rows(to), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("to", ENDS)
def test_other_input_under_the_same_run_key_is_refused_unless_forced(kit: Kit, to: str) -> None:
    destination = kit.destination(to, "append")
    kit.copier(kit.source("ndjson", OLD), destination, run_key="one")
    other = kit.source("ndjson", NEW)
    with pytest.raises(FatalError, match="'one' was already loaded from another input") as refusal:
        kit.copier(other, destination, run_key="one")
    assert "--force" in str(refusal.value)
    assert kit.rows(to) == OLD
    kit.copier(other, destination, run_key="one", force=True)
    assert len(kit.rows(to)) == len(OLD) + len(NEW)


@pytest.mark.parametrize("mode", AFTER)
@pytest.mark.parametrize("to", ENDS)
def test_the_ledger_says_which_start_of_a_load_committed(kit: Kit, to: str, mode: Mode) -> None:
    job = kit.copier.job(kit.source("ndjson", OLD), kit.destination(to, mode), "one")
    with pytest.raises(RetryableError, match="nothing was committed"):
        settle(job, [job.identity.load_id])
    copy(job)
    result = settle(job, ["another", job.identity.load_id])
    assert (result.counts.read, result.counts.written, result.skipped) == (3, 3, True)
    if mode == "append":
        assert settle(job, ["another"]).counts.written == 3
        job = kit.copier.job(kit.source("ndjson", NEW), kit.destination(to, mode), "one")
        with pytest.raises(FatalError, match="already loaded from another input"):
            settle(job, ["another"])
    else:
        with pytest.raises(RetryableError, match="nothing was committed"):
            settle(job, ["another"])
    assert kit.rows(to) == OLD


@pytest.mark.parametrize("to", ENDS)
@pytest.mark.parametrize("on_bad_row", ["fail", "quarantine"])
def test_a_key_that_occurs_twice_or_is_null_never_merges(kit: Kit, to: str, on_bad_row: str) -> None:
    kit.copier(kit.source("ndjson", OLD), kit.destination(to))
    twice = kit.source("ndjson", [NEW[0], NEW[0], NEW[1]])
    if on_bad_row == "fail":
        with pytest.raises(FatalError, match="key occurs more than once"):
            kit.copier(twice, kit.destination(to, "merge"))
        assert kit.rows(to) == OLD
    else:
        kit.copier(twice, kit.destination(to, "merge"), on_bad_row="quarantine")
        assert [row["reason"] for row in kit.copier.quarantined] == ["duplicate_key"] * 2
        assert [row["line"] for row in kit.copier.quarantined] == [1, 2]
        assert kit.rows(to) == [*OLD, NEW[1]]


@pytest.mark.parametrize("to", ENDS)
def test_a_merge_is_refused_where_a_key_has_several_rows(kit: Kit, to: str) -> None:
    twice = [OLD[0], (OLD[0][0], *OLD[1][1:]), OLD[2]]
    kit.copier(kit.source("ndjson", twice), kit.destination(to))
    with pytest.raises(FatalError, match=r"several rows with the same key \(id\)"):
        kit.copier(kit.source("ndjson", [OLD[0]]), kit.destination(to, "merge"))
    assert sorted(kit.rows(to)) == sorted(twice)
    assert kit.copier(kit.source("ndjson", NEW), kit.destination(to, "merge")).counts.inserted == 1


JUNE = (datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 7, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("from_", "to", "column"),
    [(from_, to, "at") for from_ in ENDS for to in DATABASES] + [("postgres", to, "day") for to in DATABASES],
)
def test_delete_insert_replaces_the_rows_of_the_interval_only(
    kit: Kit, from_: str, to: str, column: str
) -> None:
    may = (8, "May", "1.00", True, "2020-05-31", "2020-05-31 23:59:59.999999")
    june = (9, "June", "1.00", True, "2020-06-01", "2020-06-01 00:00:00")
    july = (10, "July", "1.00", True, "2020-07-01", "2020-07-01 00:00:00")
    kit.copier(kit.source("parquet", [may, june, july]), kit.destination(to))
    new = (11, "new", "1.00", True, "2020-06-30", "2020-06-30 23:59:59.999999")
    source = kit.source(from_, [new])
    destination = kit.destination(to, "delete_insert", interval=column)
    for _ in range(2):
        kit.copier(source, destination, interval=JUNE, run_key="june")
        assert kit.rows(to) == [may, july, new]


@pytest.mark.parametrize("from_", DATABASES)
def test_delete_insert_reads_only_the_interval_of_a_database(kit: Kit, from_: str) -> None:
    outside = (8, "May", "1.00", True, "2020-05-31", "2020-05-31 23:59:59.999999")
    destination = kit.destination("sqlite", "delete_insert", interval="day")
    kit.copier(kit.source(from_, [outside, NEW[0]]), destination, interval=JUNE)
    assert kit.rows("sqlite") == [NEW[0]]


def test_delete_insert_without_an_interval_is_refused(kit: Kit) -> None:
    with pytest.raises(FatalError, match="needs a data interval"):
        kit.copier(kit.source("csv", OLD), kit.destination("sqlite", "delete_insert", interval="day"))


@pytest.mark.parametrize(
    ("from_", "to", "cursor"),
    [(from_, to, "id") for from_ in DATABASES for to in ENDS]
    + [(from_, "sqlite", "day") for from_ in DATABASES],
)
def test_incremental_reads_only_what_is_past_the_cursor(kit: Kit, from_: str, to: str, cursor: str) -> None:
    first = sorted(OLD, key=lambda row: row[4])
    first = [(i, *row[1:]) for i, row in enumerate(first, 1)]
    source = kit.source(from_, first)
    destination = kit.destination(to, "append")
    assert kit.copier(source, destination, cursor=cursor).counts.read == 3
    assert kit.copier(source, destination, cursor=cursor).counts.read == 0
    more = (4, None, "7.00", False, "2020-06-02", None)
    add(kit, from_, source.connection or "", source.table or "", more)
    assert kit.copier(source, destination, cursor=cursor).counts.read == 1
    assert kit.rows(to) == [*first, more]


def add(kit: Kit, kind: str, connection: str, table: str, row: Row) -> None:
    """Add a row to a table that is a source."""
    values = "VALUES (4, NULL, '7.00', '0', '2020-06-02', NULL)"
    if kind == "postgres":
        kit.postgres.run(f"INSERT INTO {table} {values}")
    elif kind == "sqlite":
        database = sqlite3.connect(kit.copier.addresses[connection].database)
        database.execute(f"INSERT INTO {table} VALUES (4, NULL, '7.00', 0, '2020-06-02', NULL)")
        database.commit()
        database.close()
    else:
        with duckdb.connect(kit.copier.addresses[connection].database) as file:
            file.execute(f"INSERT INTO {table} {values}")
    assert row[0] == 4


@pytest.mark.parametrize("to", ENDS)
@pytest.mark.parametrize(("limit", "fits"), [(1, False), (2, True), ("39%", False), ("40%", True)])
def test_more_bad_rows_than_allowed_fail_before_anything_is_loaded(
    kit: Kit, to: str, limit: int | str, *, fits: bool
) -> None:
    kit.copier(kit.source("ndjson", OLD), kit.destination(to))
    (kit.copier.folder / "in.csv").write_text(
        "id,name,amount,ok,day,at\n5,a,1,true,2020-01-01,\n6,b,1,true,2020-01-01,\n7\n8\n9,c,1,true,2020-01-01,\n"
    )
    source, destination = source_of(path="in.csv"), kit.destination(to, "append")
    if fits:
        kit.copier(source, destination, on_bad_row="quarantine", max_bad_rows=limit)
        assert [row[0] for row in kit.rows(to)] == [1, 2, 3, 5, 6, 9]
    else:
        with pytest.raises(FatalError, match=r"max_bad_rows"):
            kit.copier(source, destination, on_bad_row="quarantine", max_bad_rows=limit)
        assert kit.rows(to) == OLD
        assert list(kit.copier.folder.glob("*.quarantine.ndjson")) == []


@pytest.mark.parametrize("to", ENDS)
def test_a_failed_copy_leaves_nothing_behind(kit: Kit, to: str) -> None:
    kit.copier(kit.source("ndjson", OLD), kit.destination(to))
    (kit.copier.folder / "bad.ndjson").write_text('{"id": 1}\n{"id": 2, \n')
    before = sorted(file.name for file in kit.copier.folder.iterdir())
    with pytest.raises(FatalError, match=r"bad.ndjson:2"):
        kit.copier(source_of(path="bad.ndjson"), kit.destination(to))
    assert kit.rows(to) == OLD
    assert sorted(file.name for file in kit.copier.folder.iterdir()) == before
    tables = kit.postgres.rows(
        "SELECT relname FROM pg_class WHERE relname LIKE '%staging%' OR relname LIKE '%_new_%'"
    )
    assert tables == []


KEPT: dict[str, tuple[str, str, str]] = {
    "ndjson": ('{"id":1,"x":"007","o":{"a":[1]}}\n', '{"id":2,"x":"1"}\n', '{"id":2,"x":"1","o":null}\n'),
    "csv": ('id,x\n007,"1.50"\n+8,T\n', "id,x\n9,y\n", "9,y\n"),
}


@pytest.mark.parametrize("kind", KEPT)
def test_rows_that_stay_in_a_file_are_as_they_were(kit: Kit, kind: str) -> None:
    old, new, added = KEPT[kind]
    file = kit.copier.folder / f"target.{kind}"
    file.write_text(old)
    (kit.copier.folder / f"new.{kind}").write_text(new)
    kit.copier(source_of(path=f"new.{kind}"), kit.destination(kind, "append"))
    assert file.read_text().replace('"', "") == (old + added).replace('"', "")


REFUSED = {
    "ragged.csv": "id,x\n1,a\n2\n",
    "mixed.ndjson": '{"id":1}\n{"id":"x"}\n',
    "malformed.ndjson": '{"id":1}\nhello\n',
    "rounded.ndjson": '{"id":1,"x":{"y":0.12345678901234567890}}\n',
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_file_whose_rows_would_not_stay_as_they_are_is_refused(kit: Kit, name: str, mode: Mode) -> None:
    (kit.copier.folder / name).write_text(REFUSED[name])
    (kit.copier.folder / "new.csv").write_text("id\n5\n")
    destination = destination_of(path=name, mode=mode, key=("id",) if mode == "merge" else ())
    with pytest.raises(FatalError, match=f"{name} cannot be written anew"):
        kit.copier(source_of(path="new.csv"), destination)
    assert (kit.copier.folder / name).read_text() == REFUSED[name]


@pytest.mark.parametrize("to", ENDS)
def test_a_merge_leaves_the_columns_that_it_does_not_bring(kit: Kit, to: str) -> None:
    kit.copier(kit.source("parquet", OLD), kit.destination(to))
    (kit.copier.folder / "new.csv").write_text("id,name\n1,Augusta\n4,new\n")
    kit.copier(source_of(path="new.csv"), kit.destination(to, "merge"))
    found = {int(row[0]): row[1:5] for row in kit.raw(to)}
    assert found[1][0] == "Augusta"
    assert str(found[1][3]) == "2020-01-01"
    assert found[4][3] is None

"""What every pair of ends does alike: there are ways between two of them that others do not take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.connectors.kits import KITS
from windlass.testing import NEW, OLD, Kit
from windlass.testing.reading import JUNE
from windlass.testing.rows import Row
from windlass.testing.writing import AFTER, modes_of, need

MakeKit = Callable[[str], Kit]

READ = [name for name, kit in KITS.items() if kit.reads()]
WRITTEN = [name for name, kit in KITS.items() if kit.writes()]
_WITH_MYSQL = ("mysql-postgres", "postgres-mysql", "mysql-mysql", "csv-mysql", "mysql-parquet")
PAIRS = [
    (one, other)
    for one in READ
    for other in WRITTEN
    if "mysql" not in (one, other)
    or f"{one}-{other}" in _WITH_MYSQL  # a server that takes its time for each table
]


@pytest.mark.one_of(3)
@pytest.mark.parametrize(("from_", "to"), PAIRS)
def test_all_rows_arrive_in_every_mode_and_once(make_kit: MakeKit, from_: str, to: str) -> None:
    source, target = make_kit(from_), make_kit(to)
    old, new = source.source(OLD), source.source(NEW)
    for mode in sorted(modes_of(target) & set(AFTER)):
        expected = AFTER[mode]
        target.copier(old, target.destination("replace"))
        assert target.rows() == OLD
        counts = target.copier(new, target.destination(mode), run_key=mode).counts
        assert (counts.read, counts.written) == (2, 2)
        if mode == "merge":
            assert (counts.inserted, counts.updated, counts.unchanged) == (1, 1, 0)
        assert sorted(target.rows(), key=str) == sorted(expected, key=str)
        again = target.copier(new, target.destination(mode), run_key=mode)
        assert again.skipped == (mode == "append")
        assert sorted(target.rows(), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize(("from_", "to"), PAIRS)
def test_delete_insert_replaces_the_rows_of_the_interval_only(make_kit: MakeKit, from_: str, to: str) -> None:
    source, target = make_kit(from_), make_kit(to)
    need(target, "delete_insert")
    column = ("at", "day")[(READ.index(from_) + WRITTEN.index(to)) % 2]  # either, at every end
    may = (8, "May", "1.00", True, "2020-05-31", "2020-05-31 23:59:59.999999")
    june = (9, "June", "1.00", True, "2020-06-01", "2020-06-01 00:00:00")
    july = (10, "July", "1.00", True, "2020-07-01", "2020-07-01 00:00:00")
    target.copier(make_kit("parquet").source([may, june, july]), target.destination())
    new = (11, "new", "1.00", True, "2020-06-30", "2020-06-30 23:59:59.999999")
    copied = source.source([new])
    destination = target.destination("delete_insert", interval=column)
    for _ in range(2):
        target.copier(copied, destination, interval=JUNE, run_key="june")
        assert target.rows() == [may, july, new]


@pytest.mark.one_of(3)
@pytest.mark.parametrize(("from_", "to"), PAIRS)
def test_incremental_reads_only_what_is_past_the_cursor(make_kit: MakeKit, from_: str, to: str) -> None:
    source, target = make_kit(from_), make_kit(to)
    copied, destination = source.source(OLD), target.destination("append")
    need(target, "append")
    assert target.copier(copied, destination, incremental=source.incremental("id")).counts.read == 3
    assert target.copier(copied, destination, incremental=source.incremental("id")).counts.read == 0
    more: Row = (4, None, "7.00", False, "2020-06-02", None)
    source.add(copied, more)
    assert target.copier(copied, destination, incremental=source.incremental("id")).counts.read == 1
    assert target.rows() == [*OLD, more]


@pytest.mark.parametrize("from_", ["postgres", "sqlite", "duckdb", "mysql"])
def test_delete_insert_reads_only_the_interval_of_a_database(make_kit: MakeKit, from_: str) -> None:
    outside = (8, "May", "1.00", True, "2020-05-31", "2020-05-31 23:59:59.999999")
    source, target = make_kit(from_), make_kit("sqlite")
    destination = target.destination("delete_insert", interval="day")
    assert target.copier(source.source([outside, NEW[0]]), destination, interval=JUNE).counts.read == 1
    assert target.rows() == [NEW[0]]

"""What becomes of columns that only one of the two ends has, or that have another type there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest

import windlass
from windlass.connections import Address, parse_address
from windlass.connectors.postgres.session import Session

Mode = Literal["append", "replace", "merge"]
KINDS = ("postgres", "sqlite", "duckdb", "csv", "ndjson", "parquet")


@pytest.fixture(params=KINDS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A destination that has a row with the columns `id` and `name`."""
    (tmp_path / "old.csv").write_text("id,name\n1,Ada\n2,Grace\n")
    if request.param == "postgres":
        database: Callable[[], Address] = request.getfixturevalue("make_database")
        to = f"{database().uri()}?table=t"
    elif request.param in ("sqlite", "duckdb"):
        to = f"{request.param}:///{tmp_path}/t.db?table=t"
    else:
        to = str(tmp_path / f"t.{request.param}")
    windlass.copy(tmp_path / "old.csv", to)
    return to


def rows(there: str) -> list[tuple[Any, ...]]:
    return sorted(windlass.query(there).rows)


def new(tmp_path: Path, text: str) -> Path:
    (tmp_path / "new.csv").write_text(text)
    return tmp_path / "new.csv"


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
def test_a_column_is_added_with_the_rows(there: str, tmp_path: Path, mode: Mode) -> None:
    source = new(tmp_path, "id,name,fare\n2,Edsger,1.5\n3,Alan,2.5\n")
    key = ["id"] if mode == "merge" else []
    done = windlass.copy(source, there, mode=mode, key=key, on_new_column="add")
    kept = {"append": [(1, "Ada", None), (2, "Grace", None)], "merge": [(1, "Ada", None)], "replace": []}[
        mode
    ]
    expected = sorted([*kept, (2, "Edsger", 1.5), (3, "Alan", 2.5)], key=str)
    assert sorted(windlass.query(there).rows, key=str) == expected
    is_new_file = mode == "replace" and "?" not in there
    assert done.columns_added == (() if is_new_file else ("fare",))
    if mode != "append":
        again = windlass.copy(source, there, mode=mode, key=key, on_new_column="add")
        assert (again.columns_added, again.updated or 0) == ((), 0)


def test_a_copy_that_fails_adds_nothing(there: str, tmp_path: Path) -> None:
    before = windlass.query(there).columns, rows(there)
    source = new(tmp_path, "id,name,fare\n3,Edsger,1.5\n4,Alan\n")
    with pytest.raises(windlass.FatalError, match="expected 3 fields"):
        windlass.copy(source, there, mode="append", on_new_column="add")
    assert (windlass.query(there).columns, rows(there)) == before


def test_a_column_is_left_out_or_fails_as_it_was(there: str, tmp_path: Path) -> None:
    source = new(tmp_path, "id,name,fare\n3,Edsger,1.5\n")
    with pytest.raises(
        windlass.FatalError, match=r"the destination '(.*/)?t(\.\w+)?' has no column 'fare'"
    ) as raised:
        windlass.copy(source, there, mode="append")
    assert "on_new_column: add" in str(raised.value.hint)
    windlass.copy(source, there, mode="append", on_new_column="ignore")
    assert rows(there) == [(1, "Ada"), (2, "Grace"), (3, "Edsger")]
    with pytest.raises(windlass.FatalError, match="no column 'fare'"):
        windlass.copy(source, there, mode="append", on_new_column="ignore", select=["id", "fare"])


def test_a_column_that_only_the_destination_has_is_null_or_fails(there: str, tmp_path: Path) -> None:
    source = new(tmp_path, "id\n3\n")
    with pytest.raises(windlass.FatalError, match="the source has no column 'name'"):
        windlass.copy(source, there, mode="append", on_missing_column="fail")
    windlass.copy(source, there, mode="append")
    assert sorted(windlass.query(there).rows, key=str)[2] == (3, None)


def test_between_two_servers_a_column_keeps_its_type(make_database: Callable[[], Address]) -> None:
    one, two = (f"{make_database().uri()}?table=t" for _ in range(2))
    made(one, "CREATE TABLE t AS SELECT 1 AS id, 2.50::numeric(8,2) AS fare")
    made(two, "CREATE TABLE t (id int)")
    done = windlass.copy(one, two, mode="append", on_new_column="add")
    assert done.columns_added == ("fare",)
    found = windlass.query(two)
    assert (found.types, [str(value) for value in found.rows[0]]) == (
        ("INTEGER", "DECIMAL(8,2)"),
        ["1", "2.50"],
    )


def test_between_two_servers_a_column_gets_the_type_of_the_source(
    make_database: Callable[[], Address],
) -> None:
    one, two = (f"{make_database().uri()}?table=t" for _ in range(2))
    made(
        one,
        "CREATE TABLE t (id bigint, at timestamp(5), n numeric, code varchar(9), word text, day date);"
        "INSERT INTO t VALUES (3000000000, '2025-01-02 03:04:05.12345', 12345678901234567890.5, 'abcdefghi', 'a', NULL)",
    )
    narrow = "(id serial, at timestamp(3), n numeric(4,1), code varchar(4), word varchar(4) DEFAULT '', extra int, ok bool DEFAULT true)"
    made(two, f"CREATE TABLE t {narrow}; CREATE VIEW v AS SELECT code FROM t")
    with pytest.raises(windlass.FatalError, match=r"'code' cannot be widened .* used by a view") as raised:
        windlass.copy(one, two, mode="append", on_type_change="widen", on_new_column="ignore")
    assert "on_type_change: keep" in str(raised.value.hint)
    made(two, "DROP VIEW v")
    done = windlass.copy(one, two, mode="append", on_type_change="widen", on_new_column="ignore")
    assert done.columns_widened == {
        "id": "integer → bigint",
        "at": "timestamp(3) without time zone → timestamp(5) without time zone",
        "n": "numeric(4,1) → numeric",
        "code": "character varying(4) → character varying(9)",
        "word": "character varying(4) → character varying",
    }
    assert done.columns_missing == ("extra",)
    made(two, "INSERT INTO t (word) VALUES ('next')")  # the sequence of `id` goes on where an integer ends
    again = windlass.copy(one, two, mode="append", on_type_change="widen", on_new_column="ignore")
    assert (again.path, again.columns_widened, again.columns_missing) == ("copy-binary", {}, ("extra",))
    rows = windlass.query(
        two.replace("?table=t", "?query=SELECT id, n::text, word, ok FROM t ORDER BY word, id")
    ).rows
    first = (3000000000, "12345678901234567890.5", "a", True)
    assert list(rows) == [first, first, (3000000001, None, "next", True)]


OLD = {  # name: the type at the destination, a value there; the type at the source, and a value that only it has
    "small": ("smallint", 1, "INTEGER", 70_000),
    "id": ("integer", 2, "BIGINT", 3_000_000_000),
    "cents": ("integer", 3, "DECIMAL(8,2)", Decimal("4.25")),
    "price": ("decimal(5,2)", Decimal("1.50"), "DECIMAL(10,4)", Decimal("123456.7891")),
    "share": ("real", 0.5, "DOUBLE", 0.1),
    "day": ("date", date(2025, 1, 2), "TIMESTAMP", datetime(2025, 1, 2, 3, 4, 5, 678901)),
    "name": ("varchar(3)", "Ada", "VARCHAR", "Edsger"),
    "same": ("bigint", 5, "INTEGER", 6),
}
WIDER = {
    "small": "INTEGER",
    "id": "BIGINT",
    "cents": "DECIMAL(12,2)",
    "price": "DECIMAL(10,4)",
    "share": "DOUBLE",
    "day": "TIMESTAMP",
    "name": "VARCHAR",
    "same": "BIGINT",
}


def made(to: str, sql: str) -> None:
    """Run statements in the database of an address."""
    if to.startswith("duckdb"):
        with duckdb.connect(to.removeprefix("duckdb:///").partition("?")[0]) as connection:
            connection.execute(sql)
        return
    session = Session(parse_address(to, "test"))
    session.execute(sql)
    session.close()


@pytest.fixture(params=["postgres", "duckdb", "parquet"])
def narrow(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A destination with a row of the types of `OLD`."""
    columns = ", ".join(f"{name} {old[0]}" for name, old in OLD.items())
    values = ", ".join(
        repr(old[1]) if isinstance(old[1], int | float) else f"'{old[1]}'" for old in OLD.values()
    )
    sql = f"CREATE TABLE t ({columns}); INSERT INTO t VALUES ({values})"
    if request.param == "postgres":
        to = f"{request.getfixturevalue('make_database')().uri()}?table=t"
        made(to, sql)
        return to
    made(f"duckdb:///{tmp_path}/narrow.db", sql)
    if request.param == "duckdb":
        return f"duckdb:///{tmp_path}/narrow.db?table=t"
    windlass.copy(f"duckdb:///{tmp_path}/narrow.db?table=t", tmp_path / "narrow.parquet")
    return str(tmp_path / "narrow.parquet")


def test_a_column_is_widened_when_asked_for(narrow: str, tmp_path: Path) -> None:
    new = f"duckdb:///{tmp_path}/new.db?table=t"
    columns = ", ".join(f"{name} {old[2]}" for name, old in OLD.items())
    values = ", ".join(f"'{old[3]}'" for old in OLD.values())
    made(new, f"CREATE TABLE t ({columns}); INSERT INTO t VALUES ({values})")
    before = windlass.query(narrow)
    with pytest.raises(windlass.FatalError, match="does not fit"):
        windlass.copy(new, narrow, mode="append")
    done = windlass.copy(new, narrow, mode="append", on_type_change="widen")
    found = windlass.query(narrow)
    assert dict(zip(found.columns, found.types, strict=True)) == WIDER
    assert {row[0]: row for row in found.rows} == {
        1: tuple(datetime(2025, 1, 2) if isinstance(old[1], date) else old[1] for old in OLD.values()),
        70_000: tuple(old[3] for old in OLD.values()),
    }
    changed = {
        name for name, old, new in zip(before.columns, before.types, found.types, strict=True) if old != new
    }
    assert set(done.columns_widened) - {"name"} == changed  # a length is no type of its own to who reads
    assert done.columns_widened["id"].lower() == "integer → bigint"
    again = windlass.copy(new, narrow, mode="append", on_type_change="widen")
    assert (again.columns_widened, again.rows_written) == ({}, 1)


def test_what_text_says_widens_as_far_as_values_need(narrow: str, tmp_path: Path) -> None:
    header = "small,id,cents,price,share,day,name,same\n"
    source = new(
        tmp_path, f"{header}1,3000000000,7,1.5,0.5,2025-01-02,Ada,1\n2,x,7,1.5,0.5,2025-01-02,Bob,1\n"
    )
    bad = tmp_path / "bad.ndjson"
    done = windlass.copy(
        source, narrow, mode="append", on_type_change="widen", on_bad_row="quarantine", quarantine=bad
    )
    assert (done.columns_widened, done.rows_quarantined) == ({}, 2)  # `x` says that it is text, not a number
    source = new(tmp_path, f"{header}1,3000000000,7,1.5,0.5,2025-01-02,Ada,1\n")
    done = windlass.copy(source, narrow, mode="append", on_type_change="widen")
    assert list(done.columns_widened) == ["id"]
    before = windlass.query(narrow)
    source = new(tmp_path, f"{header}90000,1,7,1.5,0.5,2025-01-02,Ada,1\n2,1,7\n")
    with pytest.raises(windlass.FatalError, match="expected 8 fields"):
        windlass.copy(source, narrow, mode="append", on_type_change="widen")
    assert windlass.query(narrow) == before

"""What becomes of columns that only one of the two ends has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

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
    with pytest.raises(windlass.FatalError, match="no column 'fare'") as raised:
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
    for address, sql in (
        (one, "CREATE TABLE t AS SELECT 1 AS id, 2.50::numeric(8,2) AS fare"),
        (two, "CREATE TABLE t (id int)"),
    ):
        session = Session(parse_address(address, "test"))
        session.execute(sql)
        session.close()
    done = windlass.copy(one, two, mode="append", on_new_column="add")
    assert done.columns_added == ("fare",)
    found = windlass.query(two)
    assert (found.types, [str(value) for value in found.rows[0]]) == (
        ("INTEGER", "DECIMAL(8,2)"),
        ["1", "2.50"],
    )

"""What an end would lose before a row is even looked at: names that are one to it, and numbers that types inferred round."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.connectors.database import Database
from windlass.connectors.files.options import FileFormat
from windlass.errors import FatalError
from windlass.plan.model import SelectColumn
from windlass.testing import Copier, destination_of, source_of

LONG = "b" * 63
PARTITIONED = (SelectColumn(name="zip", source="zip"), SelectColumn(name="v", source="v"))


@pytest.mark.parametrize("format", ["csv", "ndjson"])
@pytest.mark.parametrize(
    "numbers",
    [
        ["1.5", "9007199254740993"],
        ["1.0", "9999999999999999"],
        ["1e3", "1234567890123457"],
        ["0.1", "0.1234567890123456"],
        ["1.5", "1e-400"],
        ["1.5", "2.5e-324"],
        ["1.5", "5e-324"],
    ],
)
def test_an_inferred_type_keeps_every_number(copier: Copier, format: str, numbers: list[str]) -> None:
    lines = {"csv": ["v", *numbers], "ndjson": [f'{{"v": {number}}}' for number in numbers]}[format]
    (copier.folder / f"in.{format}").write_text("\n".join(lines) + "\n")
    copier(source_of(path=f"in.{format}"), destination_of(path="out.ndjson"), on_bad_row="quarantine")
    written = (copier.folder / "out.ndjson").read_text().splitlines()
    kept = [json.loads(line, parse_float=Decimal, parse_int=Decimal)["v"] for line in written]
    aside = {row["reason"] for row in copier.quarantined}
    assert [Decimal(number) for number in kept] == [Decimal(n) for n in numbers[: len(kept)]]
    assert len(kept) == len(numbers) or (format == "ndjson" and aside == {"loses_precision"})


@pytest.mark.parametrize("value", ["NaN", "-Infinity", '{"a": NaN}', "[1, Infinity]"])
def test_a_word_for_a_number_is_no_json(copier: Copier, value: str) -> None:
    lines = [f'{{"id": 1, "v": {value}}}', '{"id": 2, "v": {"a": "NaN, inf"}}', '{"id": 3, "v": null}']
    (copier.folder / "in.ndjson").write_text("\n".join(lines))
    copier(source_of(path="in.ndjson"), destination_of(path="out.ndjson"), on_bad_row="quarantine")
    assert [(row["line"], row["reason"]) for row in copier.quarantined] == [(1, "malformed_json")]
    assert [json.loads(line)["id"] for line in (copier.folder / "out.ndjson").read_text().splitlines()] == [
        2,
        3,
    ]


@pytest.mark.parametrize("format", ["csv", "ndjson", "json", "parquet"])
def test_the_columns_of_a_partitioned_folder_come_back(copier: Copier, format: FileFormat) -> None:
    (copier.folder / "in.csv").write_text("zip,v\n01234,1\n99999,2\n")
    out = destination_of(path="out/", format=format, partition_by=("zip",))
    copier(source_of(path="in.csv"), out)
    copier(source_of(path="out/", format=format), destination_of(path="back.csv"), select=PARTITIONED)
    assert (copier.folder / "back.csv").read_text() == "zip,v\n01234,1\n99999,2\n"


def test_files_of_one_folder_with_types_that_no_type_holds_are_refused(copier: Copier) -> None:
    folder = copier.folder / "in"
    folder.mkdir()
    exact = {"id": [1], "n": [2**53 + 1], "x": [0.5], "s": [{"x": 2**53 + 1}]}
    pq.write_table(pa.table(exact), folder / "1.parquet")
    pq.write_table(pa.table({**exact, "id": pa.array([2], pa.int32()), "n": [1.5]}), folder / "2.parquet")
    source, out = source_of(path="in/"), destination_of(path="out.csv")
    with pytest.raises(
        FatalError, match=r"'n' has floating-point numbers \(DOUBLE\) .* INT64 in .*1.parquet"
    ):
        copier(source, out)
    rest = tuple(SelectColumn(name=name, source=name) for name in ("id", "x", "s"))  # and `s.x` is no `x`
    assert copier(source, out, select=rest).counts.written == 2
    assert (copier.folder / "out.csv").read_text().count(str(2**53 + 1)) == 2


def test_decimals_of_more_than_38_digits_are_refused_and_not_rounded(copier: Copier) -> None:
    wide = pa.array([Decimal("12345678901234567890123456789012345678901.25")], pa.decimal256(50, 2))
    pq.write_table(pa.table({"id": [1], "wide": wide}), copier.folder / "in.parquet")
    source, out = source_of(path="in.parquet"), destination_of(path="out.csv")
    with pytest.raises(FatalError, match="column 'wide' has decimals of 50 digits"):
        copier(source, out)
    copier(source, out, select=(SelectColumn(name="id", source="id"),))
    assert (copier.folder / "out.csv").read_text() == "id\n1\n"


def test_times_in_int96_that_are_finer_than_microseconds_are_refused_and_not_cut_off(copier: Copier) -> None:
    far = pa.array([datetime(9999, 1, 1, 1, 2, 3, 4), None], pa.timestamp("us"))
    for name, nanoseconds in (("whole", 1_577_836_800_123_456_000), ("fine", 1_577_836_800_123_456_789)):
        times = pa.array([nanoseconds, None], pa.timestamp("ns"))
        table, file = pa.table({"far": far, "t": times}), copier.folder / f"{name}.parquet"
        pq.write_table(table, file, use_deprecated_int96_timestamps=True)
    copier(source_of(path="whole.parquet"), destination_of(path="out.csv"))
    assert "9999-01-01 01:02:03.000004,2020-01-01 00:00:00.123456" in (copier.folder / "out.csv").read_text()
    with pytest.raises(FatalError, match="column 't' has times finer than microseconds"):
        copier(source_of(path="*.parquet"), destination_of(path="out.csv"))


def test_times_that_microseconds_do_not_reach_are_refused(copier: Copier) -> None:
    times = pa.array([2**62, 0]).cast(pa.timestamp("ms"))
    pq.write_table(pa.table({"id": [1, 2], "at": times}), copier.folder / "in.parquet")
    for to in ("out.parquet", "out.csv", "out.ndjson"):
        with pytest.raises(FatalError, match="after the year 294246"):
            copier(source_of(path="in.parquet"), destination_of(path=to), on_bad_row="quarantine")
        copier(
            source_of(path="in.parquet"),
            destination_of(path=to),
            select=(SelectColumn(name="id", source="id"),),
        )


@pytest.mark.parametrize("to", ["csv", "json", "parquet", "duckdb", "sqlite"])
def test_columns_that_differ_only_in_case_are_not_one(copier: Copier, postgres: Database, to: str) -> None:
    postgres.run("""CREATE TABLE t (id int, name text, "Name" text); INSERT INTO t VALUES (1, 'a', 'B')""")
    copier.addresses["pg"] = postgres.address
    source = source_of(connection="pg", table="t")
    target = (
        destination_of(connection=to, table="t")
        if to in ("duckdb", "sqlite")
        else destination_of(path=f"out.{to}")
    )
    with pytest.raises(FatalError, match="the columns 'name', 'Name' differ only in case"):
        copier(source, target)


def test_columns_that_differ_only_in_case_go_from_postgres_to_postgres(
    copier: Copier, postgres: Database
) -> None:
    postgres.run("""CREATE TABLE t (id int, name text, "Name" text); INSERT INTO t VALUES (1, 'a', 'B')""")
    copier.addresses["pg"] = postgres.address
    copier(source_of(connection="pg", table="t"), destination_of(connection="pg", table="u"))
    assert postgres.rows("SELECT * FROM u") == [(1, "a", "B")]


@pytest.mark.parametrize(
    ("table", "column", "message"),
    [
        (f"{LONG}_orders", "v", "has 70 bytes"),
        ("t", "é" * 32, "has 64 bytes"),
        ("t", "a\\u0000b", "has a NUL character"),
    ],
)
def test_a_name_that_postgres_cannot_have_is_refused(
    copier: Copier, postgres: Database, table: str, column: str, message: str
) -> None:
    copier.addresses["pg"] = postgres.address
    (copier.folder / "in.ndjson").write_text(f'{{"{column}": 1}}\n', "utf-8")
    with pytest.raises(FatalError, match=message):
        copier(source_of(path="in.ndjson"), destination_of(connection="pg", table=table))
    assert postgres.rows("SELECT relname FROM pg_class WHERE relname LIKE 'b%' OR relname = 't'") == []


def test_a_name_with_a_nul_is_refused_by_sqlite(copier: Copier) -> None:
    (copier.folder / "in.ndjson").write_text('{"a\\u0000b": 1}\n', "utf-8")
    with pytest.raises(FatalError, match="has a NUL character"):
        copier(source_of(path="in.ndjson"), destination_of(connection="sqlite", table="t", mode="append"))


@pytest.mark.parametrize("kind", ["varchar(3)", "char(3)", "character varying( 3 )", "TEXT(3)"])
@pytest.mark.parametrize("to", ["out.ndjson", "out.parquet", "duckdb", "sqlite", "pg"])
def test_a_length_that_select_gives_is_obeyed(copier: Copier, postgres: Database, kind: str, to: str) -> None:
    copier.addresses["pg"] = postgres.address
    (copier.folder / "in.csv").write_text("v\nabc\nabcd\näöü\n", "utf-8")
    end = destination_of(path=to) if "." in to else destination_of(connection=to, table="t", mode="append")
    select = (SelectColumn(name="v", source="v", type=kind),)
    counts = copier(source_of(path="in.csv"), end, select=select, on_bad_row="quarantine").counts
    assert (counts.written, [(row["line"], row["reason"]) for row in copier.quarantined]) == (
        2,
        [(3, "too_long")],
    )

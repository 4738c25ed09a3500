"""A copy that is spread has the rows, types and bad rows of one that is not, whatever is in its files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from tests.spark.both import copy_of, job_of, require_same, rows_in
from windlass.connections import Address
from windlass.connectors.rows import BadRowError
from windlass.connectors.workers import ThisProcess
from windlass.engine.copying import copy
from windlass.errors import FatalError

pytestmark = pytest.mark.usefixtures("here", "small_pieces")


class Twice(ThisProcess):
    """Does each piece once more than is needed, as an engine does that did not wait for a slow machine."""

    def each(self, work: Callable[[int], str], count: int) -> Iterator[str]:
        for number in range(count):
            work(number)
            yield work(number)


TYPES = {"id": "bigint", "amount": "numeric(12,2)", "day": "date", "at": "timestamp", "note": "text"}
ODD = [
    '1,1.50,2024-02-29,2024-01-01 10:00:00.123456,"a, b"',
    '2,-0.01,0001-01-01,2024-01-01T10:00:00,"line\nend"',
    '3,,,,""',
    "4,1e2,2024-1-5,2024-01-01,é",
    '5, 7 ,2024-02-30,x,"say ""hi"""',
    "9223372036854775808,1,2024-01-01,2024-01-01 00:00:00,too large",
    "6,1.005,2024-01-01,2024-01-01 00:00:00.1234567,loses",
    "7,1",
    "8,1,2024-01-01,2024-01-01 00:00:00,a,b",
    "1.0,NaN,infinity,-infinity,",
]


def _csv(file: Path, lines: list[str], line_end: str = "\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(line_end.join(["id,amount,day,at,note", *lines, ""]).encode())


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_one_large_csv_file(tmp_path: Path, line_end: str) -> None:
    _csv(tmp_path / "in.csv", ODD * 30, line_end)
    counts = require_same(copy_of("in.csv", TYPES), tmp_path)
    assert counts.quarantined > 0
    assert len(list((tmp_path / "out").glob("*.parquet"))) > 2


def test_files_of_many_sizes(tmp_path: Path) -> None:
    for number, times in enumerate((1, 5, 2, 1, 30, 1)):
        _csv(tmp_path / "in" / f"{number}.csv", ODD * times)
    (tmp_path / "in" / "6.csv").write_bytes(b"")
    (tmp_path / "in" / "7.csv.gz").write_bytes(gzip.compress((tmp_path / "in" / "1.csv").read_bytes()))
    require_same(copy_of("in/", TYPES), tmp_path)


def test_columns_in_another_order_and_rules(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id;name\n" + "1;x\n2;yy\n" * 700)
    (tmp_path / "in" / "b.csv").write_text("name;id\n" + "zzz;3\n;4\n" * 700)
    what = copy_of(
        "in/*.csv",
        {"id": "int", "name": "text"},
        columns={"name": {"not_null": True, "max_length": 2}},
        to={"partition_by": ["id"]},
    )
    counts = require_same(what, tmp_path)
    assert (counts.written, counts.quarantined) == (1400, 1400)


def test_quotes_that_are_no_quotes_keep_a_file_whole(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,size\n" + '1,5" pipe\n2,"x"\n' * 1000)
    require_same(copy_of("in.csv", {"id": "int", "size": "text"}), tmp_path)
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 1


@pytest.mark.parametrize("name", ["in.tsv", "in.txt"])
def test_other_delimiters_without_a_header(tmp_path: Path, name: str) -> None:
    delimiter = "\t" if name == "in.tsv" else "|"
    (tmp_path / name).write_text("".join(f"{i}{delimiter}'a {i}'\n" for i in range(1100)))
    source = {"csv": {"header": False, "quote": "'"}}
    require_same(copy_of(name, {"column0": "int", "column1": "text"}, source=source), tmp_path)


def test_ndjson(tmp_path: Path) -> None:
    rows = [{"id": i, "x": i / 3, "tags": ["a", {"b": i}], "s": "é\n}\n{"} for i in range(300)]
    bad = [
        '{"id": "x", "x": 1, "tags": [], "s": ""}',
        "{broken",
        '{"id": 1, "id": 2, "x": 0, "tags": 0, "s": 1}',
        "[1]",
    ]
    lines = [json.dumps(row) for row in rows]
    lines[100:100] = bad
    (tmp_path / "in.ndjson").write_text("\n".join([*lines, ""]))
    counts = require_same(
        copy_of("in.ndjson", {"id": "bigint", "x": "double", "tags": "json", "s": "text"}), tmp_path
    )
    assert counts.quarantined >= 3


def test_json_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps([{"id": i, "v": None} for i in range(2000)]))
    require_same(copy_of("in.json", {"id": "int", "v": "text"}), tmp_path)


EVERY_TYPE = """
    SELECT i, i::HUGEINT * 10 AS huge, i::UBIGINT AS u, (i / 3)::DECIMAL(38,20) AS d, CASE i % 5 WHEN 0 THEN 'nan'::DOUBLE
    WHEN 1 THEN 'inf'::DOUBLE ELSE i / 7 END AS f, TIMESTAMP '2024-01-01' + INTERVAL (i) MICROSECONDS AS t,
    TIMESTAMPTZ '2024-01-01 00:00:00+02' AS z, DATE '0001-01-01' + i::INT AS day, TIME '10:00:00.123456' AS c,
    [i, NULL] AS l, {'a': i, 'b': [{'c': 'é'}]} AS s, MAP {'k': i} AS m, 'x'::BLOB AS b, uuid() AS id,
    nullif(i % 3, 0) AS n, i AS "Case", -i AS "case2" FROM range(9000) r(i)"""


def test_parquet_keeps_every_type(tmp_path: Path) -> None:
    duckdb.sql(f"COPY ({EVERY_TYPE}) TO '{tmp_path}/in.parquet' (ROW_GROUP_SIZE 2048)")
    require_same(copy_of("in.parquet"), tmp_path)
    assert len(list((tmp_path / "out").glob("*.parquet"))) > 2


def test_parquet_is_cast_and_checked(tmp_path: Path) -> None:
    duckdb.sql(f"COPY ({EVERY_TYPE}) TO '{tmp_path}/in.parquet' (ROW_GROUP_SIZE 2048)")
    what = copy_of(
        "in.parquet",
        {"i": "smallint", "d": "numeric(10,2)", "f": "double", "n": "int"},
        columns={"n": {"not_null": True}},
    )
    counts = require_same(what, tmp_path)
    assert counts.quarantined > 0


def test_csv_and_json_are_written_too(tmp_path: Path) -> None:
    _csv(tmp_path / "in.csv", ODD * 30)
    for kind in ("csv", "ndjson"):
        require_same(copy_of("in.csv", TYPES, to={"format": kind, "path": "out/"}), tmp_path, kind=kind)


def test_files_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    duckdb.sql(
        f"COPY (SELECT i, 1 AS a FROM range(9000) r(i)) TO '{tmp_path}/in/1.parquet' (COMPRESSION uncompressed)"
    )
    duckdb.sql(
        f"COPY (SELECT i, 'x' AS b FROM range(9000) r(i)) TO '{tmp_path}/in/2.parquet' (COMPRESSION uncompressed)"
    )
    with pytest.raises(FatalError, match="do not all have the same columns and types: 'a', 'b'"):
        copy(job_of(copy_of("in/"), tmp_path, Address("spark")))
    assert not (tmp_path / "out").exists()


def test_bad_rows_end_it_with_their_places(tmp_path: Path) -> None:
    _csv(tmp_path / "in.csv", ["1,1,2024-01-01,2024-01-01 00:00:00,x"] * 300 + ["x,1,2024-01-01,,bad"])
    for more in ({"on_bad_row": "fail"}, {"max_bad_rows": 0}, {"max_bad_rows": "0.1%"}):
        with pytest.raises(BadRowError) as caught:
            copy(job_of(copy_of("in.csv", TYPES, **more), tmp_path, Address("spark")))
        assert [(row.source, row.line) for row in caught.value.rows] == [("in.csv", 302)]
        assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_append_counts_once_and_leaves_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _csv(tmp_path / "in.csv", ["1,1,2024-01-01,2024-01-01 00:00:00,x"] * 250)
    monkeypatch.setattr("windlass.engine.spread.spreading._workers", lambda job, engine: Twice())
    what = copy_of("in.csv", TYPES, to={"mode": "append"})
    first = copy(job_of(what, tmp_path, Address("spark")))
    again = copy(job_of(what, tmp_path, Address("spark")))
    other = copy(job_of(what, tmp_path, Address("spark"), run_key="next"))
    assert (first.skipped, again.skipped, other.skipped) == (False, True, False)
    assert len(rows_in(tmp_path / "out")) == len(TYPES) + 2 * 250


def test_types_that_are_not_said_are_refused(tmp_path: Path) -> None:
    _csv(tmp_path / "in" / "a.csv", ["1,1,2024-01-01,2024-01-01 00:00:00,x"])
    with pytest.raises(FatalError, match="each column of a csv file needs a type"):
        copy(job_of(copy_of("in/"), tmp_path, Address("spark")))

"""Many small files: read together, and still each its own when something is wrong with it."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from windlass.errors import WindlassError
from windlass.testing import Copier, destination_of, source_of

COUNT = 600


def write_all(folder: Path, end: str, contents: list[bytes]) -> None:
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"f{number:04d}{end}").write_bytes(content)


def ids(copier: Copier) -> list[Any]:
    return list(pq.read_table(copier.folder / "out.parquet")["id"].to_pylist())


def test_csv_files_that_differ_in_everything_but_their_columns(copier: Copier) -> None:
    contents = [b"id,name\n%d,n\n" % number for number in range(COUNT)]
    contents[3] = b"id,name\r\n3,n\r\n"
    contents[4] = b"id,name\r\n4,n"
    contents[5] = codecs.BOM_UTF8 + b"id,name\n5,n"
    contents[6] = b"id,name"
    contents[7] = b'"id","name"\n7,"a\nb"\n'
    contents[8] = b'id,name\n8,"open\n'
    contents[9] = b"\nid,name\n9,n\n"
    contents[10] = b"id,name\r10,n\r"
    contents[500] = b"id,name\n500,n\nno number,n\n"
    contents[501] = b"id,name\n501,n\n\n501\n"
    contents[502] = b"id,name\n502,n\n502,\xff\n"
    write_all(copier.folder / "in", ".csv", contents)
    source = source_of(path="in/*.csv", columns={"id": "bigint"})
    copier(source, destination_of(path="out.parquet"), on_bad_row="quarantine")
    assert ids(copier) == [number for number in range(COUNT) if number not in (6, 8)]
    assert sorted(
        (row["source"], row["line"], row["offset"], row["reason"]) for row in copier.quarantined
    ) == [
        ("f0008.csv", 2, 8, "unterminated_quote"),
        ("f0500.csv", 3, 14, "type_mismatch"),
        ("f0501.csv", 3, 14, "ragged_row"),
        ("f0502.csv", 3, 14, "wrong_encoding"),
    ]


def test_a_csv_file_with_other_columns_is_refused_by_its_name(copier: Copier) -> None:
    contents = [b"id,name\n%d,n\n" % number for number in range(COUNT)]
    contents[411] = b"nom,id\nn,411\n"
    write_all(copier.folder / "in", ".csv", contents)
    with pytest.raises(
        WindlassError, match=r"f0411\.csv has the columns nom, id, and f0000\.csv has id, name"
    ):
        copier(source_of(path="in/*.csv"), destination_of(path="out.parquet"))


def test_ndjson_files_with_and_without_a_last_line_end(copier: Copier) -> None:
    contents = [b'{"id": %d}\n' % number for number in range(COUNT)]
    contents[3] = b'{"id": 3}'
    contents[4] = codecs.BOM_UTF8 + b'{"id": 4}\n{"id":\n'
    write_all(copier.folder / "in", ".ndjson", contents)
    copier(source_of(path="in/*.ndjson"), destination_of(path="out.parquet"), on_bad_row="quarantine")
    assert ids(copier) == list(range(COUNT))
    [row] = copier.quarantined
    assert (row["source"], row["line"], row["reason"]) == ("f0004.ndjson", 2, "malformed_json")


def test_json_arrays_and_objects(copier: Copier) -> None:
    contents = [json.dumps([{"id": number}], indent=1).encode() for number in range(COUNT)]
    contents[3] = b'[{"id": 3}, {"id": 12345678901234567890},]'
    contents[4] = b"[]"
    contents[5] = b'{"id": 5}\n{"id": 6}'
    write_all(copier.folder / "in", ".json", contents)
    copier(source_of(path="in/*.json"), destination_of(path="out.parquet"))
    expected = [0, 1, 2, 3, 12345678901234567890, 5, 6, *range(6, COUNT)]
    assert [int(value) for value in ids(copier)] == expected


@pytest.mark.parametrize(
    "broken", [b'[{"id": 3},', b'{"id": 3', b'[{"id": 3}]]', b'[{"id": 3} {"id": 4}]', b'"id": 3}']
)
def test_a_json_file_that_is_cut_off_does_not_run_into_the_next(copier: Copier, broken: bytes) -> None:
    contents = [b'[{"id": %d}]' % number for number in range(COUNT)]
    contents[3] = broken
    write_all(copier.folder / "in", ".json", contents)
    with pytest.raises(WindlassError, match=r"f0003\.json"):
        copier(source_of(path="in/*.json"), destination_of(path="out.parquet"))
    assert not (copier.folder / "out.parquet").exists()


def test_parquet_files_of_which_some_have_more_columns_and_wider_types(copier: Copier) -> None:
    (copier.folder / "in").mkdir()
    for number in range(COUNT):
        columns = {"id": pa.array([number], pa.int32())}
        if number == 590:
            columns = {"id": pa.array([2**40], pa.int64()), "more": pa.array([b"\0\xff"])}
        pq.write_table(pa.table(columns), copier.folder / "in" / f"f{number:04d}.parquet")
    copier(source_of(path="in/*.parquet"), destination_of(path="out.parquet"))
    table = pq.read_table(copier.folder / "out.parquet")
    assert sorted(table["id"].to_pylist()) == sorted([*range(590), *range(591, COUNT), 2**40])
    assert [value for value in table["more"].to_pylist() if value is not None] == [b"\0\xff"]

"""A file with nothing in it is a day without rows where rows are added, and an accident where they replace others; and a
file of another kind than its format is neither.
"""

from __future__ import annotations

import gzip
import zipfile
from typing import Any

import pytest

from windlass.errors import Code, FatalError
from windlass.plan.model import Mode
from windlass.testing import Copier, destination_of, source_of


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, b"") for name in ("in.csv", "in.ndjson", "in.json", "in.csv.gz")),
        *((f"in.{kind}.gz", gzip.compress(b"", mtime=0)) for kind in ("csv", "ndjson", "json")),
        ("in.json", b"[]"),
    ],
)
@pytest.mark.parametrize("mode", ["append", "merge"])
def test_nothing_is_added(copier: Copier, name: str, content: bytes, mode: Mode) -> None:
    (copier.folder / "out.csv").write_text("id,v\n1,a\n")
    (copier.folder / name).write_bytes(content)
    options: dict[str, Any] = {"key": ("id",)} if mode == "merge" else {}
    result = copier(source_of(path=name), destination_of(path="out.csv", mode=mode, **options))
    assert (result.counts.read, (copier.folder / "out.csv").read_text()) == (0, "id,v\n1,a\n")


@pytest.mark.parametrize("name", ["in.csv", "in.ndjson", "in.json", "in.parquet"])
@pytest.mark.parametrize("there", [False, True])
def test_an_empty_file_replaces_nothing_and_makes_nothing(copier: Copier, name: str, there: bool) -> None:
    if there:
        (copier.folder / "out.csv").write_text("id,v\n1,a\n")
    (copier.folder / name).write_text("")
    with pytest.raises(FatalError, match="is empty"):
        copier(source_of(path=name), destination_of(path="out.csv", mode="replace"))
    assert (copier.folder / "out.csv").exists() == there


@pytest.mark.parametrize("kind", ["csv", "ndjson", "json"])
def test_an_empty_file_of_a_folder_has_no_rows(copier: Copier, kind: str) -> None:
    rows = {"csv": "id\n1\n", "ndjson": '{"id": 1}\n', "json": '[{"id": 1}]'}[kind]
    (copier.folder / "in").mkdir()
    for name, content in {"a": "", "b": rows, "c": ""}.items():
        (copier.folder / "in" / f"{name}.{kind}").write_text(content)
    copier(source_of(path="in/", format=kind), destination_of(path="out.csv"))
    assert (copier.folder / "out.csv").read_text() == "id\n1\n"


def test_a_file_of_another_kind_is_refused(copier: Copier) -> None:
    """Whatever it is taken for, and though bad rows are quarantined: a page in HTML is CSV of one column to a parser."""
    (copier.folder / "rows.csv").write_text("id\n1\n")
    copier(source_of(path="rows.csv"), destination_of(path="rows.parquet"))
    with zipfile.ZipFile(copier.folder / "rows.zip", "w") as archive:
        archive.write(copier.folder / "rows.csv")
    contents = {
        "a web page": b"<html>\n<body>\nsorry\n",
        "a Parquet file": (copier.folder / "rows.parquet").read_bytes(),
        "a gzip file": gzip.compress(b"id\n1\n"),
        "a zip archive": (copier.folder / "rows.zip").read_bytes(),
        "JSON": b'[\n{"id": 1}\n]\n',
    }
    names = {"in.csv", "in.json", "in.ndjson", "in.parquet", "in.csv.gz", "in.json.zst"}
    right = {"a Parquet file": {"in.parquet"}, "a gzip file": {"in.csv.gz"}, "JSON": names - {"in.csv"}}
    for kind, content in contents.items():
        for name in names - right.get(kind, set()):
            (copier.folder / name).write_bytes(content)
            with pytest.raises(FatalError, match=f"is {kind}, not ") as refused:
                copier(source_of(path=name), destination_of(path="out.csv"), on_bad_row="quarantine")
            assert (refused.value.code, (copier.folder / "out.csv").exists()) == (Code.OTHER_FORMAT, False)
    (copier.folder / "packed.csv.gz").write_bytes(gzip.compress(contents["a web page"]))
    with pytest.raises(FatalError, match="is a web page, not a CSV file; it begins: '<html>"):
        copier(source_of(path="packed.csv.gz"), destination_of(path="out.csv"), on_bad_row="quarantine")


def test_one_byte_is_not_nothing(copier: Copier) -> None:
    """DuckDB passes over a file of JSON that is one byte long."""
    (copier.folder / "out.csv").write_text("id\n1\n")
    (copier.folder / "in").mkdir()
    (copier.folder / "in" / "rows.ndjson").write_text('{"id": 2}\n')
    for name, content in {"in.ndjson": b"x", "in.json": b"1", "bom.ndjson": b"\xef\xbb\xbfx"}.items():
        (copier.folder / name).write_bytes(content)
        with pytest.raises(FatalError, match="JSON object"):
            copier(source_of(path=name), destination_of(path="out.csv", mode="append"))
    (copier.folder / "in" / "short.ndjson").write_bytes(b"x")
    result = copier(
        source_of(path="in/"), destination_of(path="out.csv", mode="append"), on_bad_row="quarantine"
    )
    assert (result.counts.read, result.counts.quarantined) == (2, 1)
    assert (copier.folder / "out.csv").read_text() == "id\n1\n2\n"

"""What a server sent in the place of a file, or somebody saved by its name, is not taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.file_kinds import kind_of, why_not_its_kind

PAGE = b"\xef\xbb\xbf\n<!DOCTYPE HTML><title>Sorry</title>"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.parquet", b"PAR1\x15 rows and footer PAR1", None),
        ("a.parquet", b"PARE rows and footer PARE", None),
        ("a.parquet", b"PAR1\x15 rows and", "is not a whole Parquet file: its end is missing"),
        ("a.parquet", b"", "is empty, not a Parquet file"),
        ("a.PARQUET", PAGE, "is a web page, not a Parquet file; it begins: '<!DOCTYPE HTML><title>Sorry</title>'"),
        ("a.parquet", b"Access denied", "is not a Parquet file; it begins: 'Access denied'"),
        ("a.csv.gz", b"\x1f\x8b\x08rest", None),
        ("a.csv.gz", b"id\n1\n", "is not a gzip file; it begins: 'id\\n1'"),
        ("a.zip", b"PK\x03\x04rest", None),
        ("a.xlsx", b'{"error": "gone"}', "is not an Excel file; it begins: '{\"error\": \"gone\"}'"),
        ("a.csv", b"", None),
        ("a.csv", b"id;<html>\n1;2\n", None),
        ("a.csv", b"PAR1,PAR2\n1,2\n", None),
        ("a.csv", b"PK\x03\x04rest", "is a zip archive, not a CSV file"),
        ("a.jsonl", b"\x1f\x8b\x08", "is a gzip file, not an NDJSON file"),
        ("a.tsv", b"<?xml version='1.0'?>", 'is an XML document, not a TSV file; it begins: "<?xml version=\'1.0\'?>"'),
        ("a.json", b"<html lang=en>", "is a web page, not a JSON file; it begins: '<html lang=en>'"),
        ("a.html", PAGE, None),
        ("a", PAGE, None),
    ],
)  # fmt: skip
def test_a_file_is_what_its_name_says(tmp_path: Path, name: str, content: bytes, said: str | None) -> None:
    file = tmp_path / "part"
    file.write_bytes(content)
    assert why_not_its_kind(file, name) == said


def test_databases_are_told_from_text() -> None:
    assert kind_of(b"SQLite format 3\0" + b"\x10\0\1\1") == "a SQLite database"
    assert kind_of(b"\x12\x34\x56\x78\x9a\xbc\xde\xf0DUCK@\0\0\0") == "a DuckDB database"

"""What a server sent in the place of a file is not taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from windlass.tasks.file_kinds import why_not_its_kind

PAGE = b"\xef\xbb\xbf\n<!DOCTYPE HTML><title>Sorry</title>"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.parquet", b"PAR1 rows and footer PAR1", None),
        ("a.parquet", b"PARE rows and footer PARE", None),
        ("a.parquet", b"PAR1 rows and", "is not a whole .parquet file: its end is missing"),
        ("a.parquet", b"", "is empty, not a .parquet file"),
        ("a.PARQUET", PAGE, "is a web page, not a .parquet file; it begins: '<!DOCTYPE HTML><title>Sorry</title>'"),
        ("a.parquet", b"Access denied", "is not a .parquet file; it begins: 'Access denied'"),
        ("a.csv.gz", b"\x1f\x8b\x08rest", None),
        ("a.csv.gz", b"id\n1\n", "is not a .gz file; it begins: 'id\\n1\\n'"),
        ("a.zip", b"PK\x03\x04rest", None),
        ("a.xlsx", b'{"error": "gone"}', "is not a .xlsx file; it begins: '{\"error\": \"gone\"}'"),
        ("a.csv", b"", None),
        ("a.csv", b"id;<html>\n1;2\n", None),
        ("a.json", b"<html lang=en>", "is a web page, not a .json file; it begins: '<html lang=en>'"),
        ("a.html", PAGE, None),
        ("a", PAGE, None),
    ],
)  # fmt: skip
def test_a_file_is_what_its_name_says(tmp_path: Path, name: str, content: bytes, said: str | None) -> None:
    file = tmp_path / "part"
    file.write_bytes(content)
    assert why_not_its_kind(file, name) == said

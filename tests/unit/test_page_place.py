"""A page is written over a page of HTML, and over nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.catalog import write_board
from windlass.errors import UsageError
from windlass.report import write_report

WRITERS: dict[str, Callable[[Path, Path], object]] = {
    "board": write_board,
    "report": lambda project, file: write_report(project, ["no run of that id"], file),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("windlass.yaml", b"project: shop\n"),
        (".env", b"SECRET=1\n"),
        ("rows.csv", b"id\n1\n"),
        ("bytes", b"\x00\xff"),
        ("late.html", b"# <!doctype html>"),
    ],
)
def test_a_file_that_is_no_page_stays(name: str, content: bytes, writer: str, tmp_path: Path) -> None:
    (tmp_path / "windlass.yaml").write_text("project: shop\n")
    (tmp_path / name).write_bytes(content)
    (tmp_path / "link.html").symlink_to(name)
    for file in (tmp_path / name, tmp_path / "link.html"):
        with pytest.raises(UsageError, match="is not a page of HTML, and is not written over"):
            WRITERS[writer](tmp_path, file)
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf\n <!DOCTYPE html><p>old", b"<html>"])
def test_a_page_is_written_over(before: bytes, tmp_path: Path) -> None:
    (tmp_path / "windlass.yaml").write_text("project: shop\n")
    (tmp_path / "board.html").write_bytes(before)
    write_board(tmp_path, tmp_path / "board.html")
    assert b"shop" in (tmp_path / "board.html").read_bytes()

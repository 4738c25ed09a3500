"""Pieces: every byte and row is in exactly one, and large files are cut where records begin."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.engine.spread import pieces, scanning
from windlass.engine.spread.pieces import Part, SourceFile, bounds, in_groups, row_parts
from windlass.engine.spread.scanning import Range, parts_of, scan

FIELDS = st.text(alphabet='ab,;"\r\n\té', max_size=6)


def _cut(file: Path, cuts: Sequence[int], delimiter: str | None, header: str = "") -> list[Part] | None:
    size = file.stat().st_size
    places = sorted({0, size, *(cut % (size + 1) for cut in cuts)})
    ranges = [Range(SourceFile(str(file), size), begin, end, delimiter) for begin, end in pairwise(places)]
    with file.open("rb") as opened:
        return parts_of([scan(one, opened) for one in ranges], size, header)


def _records(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(
    st.lists(st.lists(FIELDS, min_size=1, max_size=3), min_size=1, max_size=12),
    st.lists(st.integers(0, 10_000)),
    st.sampled_from(("\n", "\r\n")),
)
def test_a_csv_file_is_cut_where_records_begin(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], cuts: list[int], line_end: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows(rows)
    file = tmp_path_factory.mktemp("csv") / "a.csv"
    file.write_bytes(text.getvalue().encode())
    parts = _cut(file, cuts, ",")
    if parts is None:  # a carriage return by itself, which ends lines in some files
        assert "\r" in text.getvalue().replace("\r\n", "")
        return
    data = file.read_bytes()
    pieces = [data[part.begin : part.end] for part in parts]
    assert b"".join(pieces) == data
    assert [part.lines for part in parts] == [data[: part.begin].count(b"\n") for part in parts]
    apart = [record for piece in pieces for record in _records(piece.decode())]
    assert apart == _records(data.decode())


@pytest.mark.parametrize("text", ['a,5" pipe\n' * 4, 'a,b"c"\n' * 3, '"a"b,c\n' * 3, 'a,"b\nc,d\n'])
def test_a_file_whose_quotes_are_elsewhere_is_not_cut(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert _cut(tmp_path / "a.csv", (7, 9, 15), ",") is None


def test_a_quote_may_be_the_first_and_the_last_byte(tmp_path: Path) -> None:
    for mark in ("", "\ufeff"):
        (tmp_path / "a.csv").write_text(f'{mark}"a"\n"b"\n"c"')
        parts = _cut(tmp_path / "a.csv", (5,), ",", "head")
        assert parts is not None
        assert [part.header for part in parts] == ["", "head"]
        assert (parts[0].begin, parts[0].lines) == (0, 0)


@given(st.lists(st.integers(0, 10_000), max_size=6), st.booleans())
def test_ndjson_is_cut_between_objects(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], windows: bool
) -> None:
    end = "\r\n" if windows else "\n"
    text = end.join(['{"a": 1}', '{"a":', '{"b": 2}', "}", '{"a": "}\\n{"}', '{"a": [', "{}", "]}", ""])
    file = tmp_path_factory.mktemp("json") / "a.ndjson"
    file.write_bytes(text.encode())
    parts = _cut(file, cuts, None)
    assert parts is not None
    data = file.read_bytes()
    assert b"".join(data[part.begin : part.end] for part in parts) == data
    for part in parts[1:]:
        assert data[: part.begin].rstrip().endswith(b"}")
        assert data[part.begin : part.begin + 1] == b"{"


def test_a_chunk_may_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ('1,"a ""b"" c"\r\n' + '2,"x\r\ny"\r\n') * 40
    (tmp_path / "a.csv").write_bytes(text.encode())
    whole = _cut(tmp_path / "a.csv", range(0, 900, 37), ",")
    assert whole is not None
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(scanning, "_CHUNK", size)
        assert _cut(tmp_path / "a.csv", range(0, 900, 37), ",") == whole


@given(st.lists(st.integers(0, 400_000_000), max_size=30))
def test_small_files_go_together(sizes: list[int]) -> None:
    files = [SourceFile(f"{number}", size) for number, size in enumerate(sizes)]
    groups = list(in_groups(files))
    assert [file for group in groups for file in group] == files
    for group in groups:
        assert len(group) == 1 or sum(file.size for file in group) <= pieces.SIZE


@given(st.integers(1, 10**13))
def test_ranges_are_all_of_a_file(size: int) -> None:
    found = bounds(size)
    assert (found[0][0], found[-1][1]) == (0, size)
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert max(end - begin for begin, end in found) <= 1.5 * pieces.SIZE


@given(st.lists(st.tuples(st.integers(1, 200_000), st.integers(1, 300_000_000)), min_size=1, max_size=20))
def test_row_groups_stay_whole(groups: list[tuple[int, int]]) -> None:
    parts = list(row_parts(groups))
    assert (parts[0].begin, parts[-1].end) == (0, sum(rows for rows, _ in groups))
    assert all(one.end == other.begin for one, other in pairwise(parts))
    ends = {sum(rows for rows, _ in groups[:number]) for number in range(len(groups) + 1)}
    assert {part.end for part in parts} <= ends

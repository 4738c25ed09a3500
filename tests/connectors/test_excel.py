"""Sheets of Excel files: cells have types of their own, and what is not a value is told."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

import windlass


def sheet(file: Path, rows: Sequence[Sequence[object]], name: str = "Trips", at: str = "A1") -> Path:
    """A workbook with a cover, and a sheet with the rows."""
    book = Workbook()
    made = book.create_sheet(name)
    corner = made[at]
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            cell = made.cell(corner.row + i, corner.column + j)
            cell.value = value
            if isinstance(value, str) and value.startswith("#"):
                cell.data_type = "e"
    book.save(file)
    return file


def read(file: Path, **options: Any) -> windlass.QueryResult:
    out = file.with_suffix(".parquet")
    windlass.copy(file, out, sheet="Trips", **options)
    return windlass.query(out)


COLUMNS: dict[str, tuple[Sequence[object], str, Sequence[object]]] = {
    "whole": ([1, 2**53, None], "BIGINT", [1, 2**53, None]),
    "number": ([1, 0.1, -2.5], "DOUBLE", [1.0, 0.1, -2.5]),
    "text": (["007", "1", " x "], "VARCHAR", ["007", "1", " x "]),
    "flag": ([True, False, None], "BOOLEAN", [True, False, None]),
    "day": ([date(2025, 1, 2), date(1999, 12, 31), None], "DATE", [date(2025, 1, 2), date(1999, 12, 31), None]),
    "moment": (
        [datetime(2025, 1, 2, 3, 4, 5), date(2025, 1, 3), None],
        "TIMESTAMP",
        [datetime(2025, 1, 2, 3, 4, 5), datetime(2025, 1, 3), None],
    ),
    "time": ([time(1, 2, 3), time(23, 0), None], "TIME", [time(1, 2, 3), time(23, 0), None]),
    "mixed": ([1, "a", True], "VARCHAR", ["1", "a", "true"]),
    "empty": ([None, None, None], "VARCHAR", [None, None, None]),
}  # fmt: skip


def test_each_cell_keeps_its_type_and_value(tmp_path: Path) -> None:
    rows = [("id", *COLUMNS), *((i, *(c[0][i] for c in COLUMNS.values())) for i in range(3))]
    found = read(sheet(tmp_path / "a.xlsx", rows))
    assert found.columns == ("id", *COLUMNS)
    assert found.types == ("BIGINT", *(c[1] for c in COLUMNS.values()))
    assert found.rows == tuple((i, *(c[2][i] for c in COLUMNS.values())) for i in range(3))


@pytest.mark.parametrize(
    ("options", "columns", "rows"),
    [
        ({"range": "B3:C5"}, ("id", "km"), ((1, 2.5), (2, 3.0))),
        ({"range": "b3:b6"}, ("id",), ((1,), (2,), (4,))),
        ({"range": "B4:C4", "header": False}, ("column0", "column1"), ((1, 2.5),)),
    ],
)
def test_a_range_says_where_the_table_is(tmp_path: Path, options: Any, columns: Any, rows: Any) -> None:
    book = [("Trips of 2025", None), (None, None), ("id", "km"), (1, 2.5), (2, 3.0), (4, None), ("sum", 5.5)]
    found = read(sheet(tmp_path / "a.xlsx", book, at="B1"), **options)
    assert (found.columns, found.rows) == (columns, rows)


def test_rows_without_a_value_are_passed_over_and_bad_ones_told_by_their_numbers(tmp_path: Path) -> None:
    rows = [("id", "km"), (1, 1.5), (None, None), (2, "#DIV/0!"), ("#REF!", 1), (3, "=1+1"), (4, 2.5)]
    file = sheet(tmp_path / "a.xlsx", rows)
    done = windlass.copy(file, tmp_path / "out.csv", sheet="Trips", on_bad_row="quarantine", folder=tmp_path)
    assert (tmp_path / "out.csv").read_text() == "id,km\n1,1.5\n4,2.5\n"
    assert [row.partition(": ")[0].rpartition(":")[2] for row in done.bad_rows] == ["4", "5", "6"]
    assert "the cell B4 is #DIV/0!" in done.bad_rows[0]
    assert "the cell A5 is #REF!" in done.bad_rows[1]
    assert "open and save the file in Excel" in done.bad_rows[2]
    with pytest.raises(windlass.FatalError, match=r"#DIV/0!"):
        windlass.copy(file, tmp_path / "out.csv", sheet="Trips")


def test_the_value_of_a_formula_counts_that_the_file_has(tmp_path: Path) -> None:
    file = sheet(tmp_path / "a.xlsx", [("id", "km"), (1, "=1+1")])
    with zipfile.ZipFile(file) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as book:
        for name, data in parts.items():
            book.writestr(name, re.sub(rb"</f><v ?/>|</f><v></v>", b"</f><v>2</v>", data))
    file.write_bytes(kept.getvalue())
    assert read(file).rows == ((1, 2),)


def test_many_files_are_one_table_and_a_bad_row_names_its_own(tmp_path: Path) -> None:
    sheet(tmp_path / "1.xlsx", [("id", "n"), (1, 1), (2, 2)])
    sheet(tmp_path / "2.xlsx", [("id", "n"), (3, "#N/A"), (4, 1.5)])
    done = windlass.copy(
        "*.xlsx", "out.csv", sheet="Trips", on_bad_row="quarantine", quarantine="bad.ndjson", folder=tmp_path
    )
    assert (tmp_path / "out.csv").read_text() == "id,n\n1,1.0\n2,2.0\n4,1.5\n"
    assert done.bad_rows[0].startswith("2.xlsx:2: ")
    sheet(tmp_path / "3.xlsx", [("id", "other"), (3, 1)])
    with pytest.raises(windlass.FatalError, match=r"3\.xlsx has other columns: id, other"):
        windlass.copy("*.xlsx", "out.csv", sheet="Trips", folder=tmp_path)


WRONG: dict[str, tuple[Sequence[Sequence[object]], dict[str, Any], str]] = {
    "sheet": ([("a",), (1,)], {"sheet": "Trip"}, "no sheet 'Trip'"),
    "nothing": ([], {"sheet": "Trips"}, "the sheet has no rows"),
    "twice": ([("a", "A"), (1, 2)], {"sheet": "Trips"}, "more than once"),
    "range": ([("a",), (1,)], {"sheet": "Trips", "range": "A"}, "two corners"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_is_told(tmp_path: Path, case: str) -> None:
    rows, options, message = WRONG[case]
    with pytest.raises(windlass.FatalError, match=message):
        windlass.copy(sheet(tmp_path / "a.xlsx", rows), tmp_path / "b.csv", **options)


@pytest.mark.parametrize("data", [b"a,b\n1,2\n", b"PK\x03\x04 and no more"])
def test_what_only_is_called_so_is_not_excel(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(data)
    with pytest.raises(windlass.FatalError, match="not an Excel file"):
        windlass.copy(tmp_path / "a.xlsx", tmp_path / "b.csv")
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(windlass.FatalError, match="can be read, but not written"):
        windlass.copy(tmp_path / "a.csv", tmp_path / "b.xlsx")

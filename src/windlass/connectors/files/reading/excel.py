"""Sheets of Excel files as a source.

Cells have types of their own. A column is what all its cells are: whole numbers, numbers, dates, times, booleans, else
text that says what each is. A row in which a cell shows an error (`#DIV/0!`), or a formula whose value nobody has worked
out, is a bad one. The rows go into a Parquet file of the scratch folder as text that says a value exactly.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from windlass.connectors.files import options
from windlass.connectors.files.paths import InputFiles
from windlass.connectors.files.reading.source import FileRelation
from windlass.connectors.matching import alike
from windlass.connectors.rows import BadRow, Column, Reason, RowFault
from windlass.connectors.scratch import Scratch, file_literal, identifier
from windlass.connectors.source import Reading
from windlass.errors import FatalError, did_you_mean, extra

__all__ = ["ExcelRelation"]

_BAD = "__windlass_bad"
_BATCH = 10_000
_TYPES: dict[frozenset[str], str] = {
    frozenset(("integer",)): "BIGINT",
    frozenset(("number",)): "DOUBLE",
    frozenset(("integer", "number")): "DOUBLE",
    frozenset(("boolean",)): "BOOLEAN",
    frozenset(("date",)): "DATE",
    frozenset(("date", "moment")): "TIMESTAMP",
    frozenset(("moment",)): "TIMESTAMP",
    frozenset(("time",)): "TIME",
}
"""The type of a column by what its cells are; any other mixture is text."""


class _Cell(NamedTuple):
    kind: str
    """What it is, as `_TYPES` has it; `error`, or nothing for an empty one."""

    text: str | None


class _Bad(NamedTuple):
    """Why a row is bad: one of its cells."""

    column: str
    message: str


class ExcelRelation(FileRelation):
    """One sheet of one or more files."""

    def __init__(self, files: InputFiles, wanted: options.Excel, reading: Reading, scratch: Scratch) -> None:
        super().__init__(files, reading, scratch)
        self._wanted = wanted
        self._kinds: dict[str, set[str]] = {}
        self._bad: dict[int, _Bad] = {}
        self._rows_of = dict[str, list[int]]()  # of each file: the numbers of its rows in the sheet
        self._file = scratch.folder / f"{scratch.new_name()}.parquet"
        self._write()

    def found_columns(self) -> list[Column]:
        return [Column(name, _type_of(kinds)) for name, kinds in self._kinds.items()]

    def rows(self) -> str:
        values = "".join(
            f", TRY_CAST({identifier(name)} AS {_type_of(kinds)}) AS {identifier(name)}"
            for name, kinds in self._kinds.items()
        )
        return f"(SELECT {_BAD}{values} FROM read_parquet({file_literal(self._file)}))"

    def faults(self) -> Sequence[RowFault]:
        return (RowFault(_BAD, Reason.CELL_ERROR, "a cell has no value"),)

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        for row in rows:
            row.source = self.name
            if row.ordinal is not None:
                row.source, row.line = self._place(row.ordinal)
                if row.reason is Reason.CELL_ERROR:
                    found = self._bad[row.ordinal]
                    row.column, row.message = found.column, found.message
            yield row

    def _place(self, ordinal: int) -> tuple[str, int]:
        for source, numbers in self._rows_of.items():
            if ordinal < len(numbers):
                return source, numbers[ordinal]
            ordinal -= len(numbers)
        raise AssertionError("each row is of one of the files")

    # --- writing it down ---

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        writer: Any = None
        ordinals = count()
        for path in self._files.paths:
            names, rows = self._sheet(path)
            if not self._kinds:
                self._kinds = {name: set() for name in names}
                fields = [(_BAD, pa.bool_()), *((name, pa.string()) for name in names)]
                writer = pq.ParquetWriter(self._file, pa.schema(fields))
            elif names != list(self._kinds):
                hint = f"expected, as in the others: {', '.join(self._kinds)}"
                raise FatalError(f"{path.name} has other columns: {', '.join(names)}", hint=hint)
            numbers = self._rows_of.setdefault(self._files.name(path), [])
            for batch in _batches(rows):
                records = [self._record(next(ordinals), number, cells, numbers) for number, cells in batch]
                writer.write_table(pa.Table.from_pylist(records, writer.schema))
        writer.close()

    def _record(
        self, ordinal: int, number: int, cells: Sequence[_Cell], numbers: list[int]
    ) -> dict[str, Any]:
        numbers.append(number)
        record: dict[str, Any] = {_BAD: False}
        for name, cell in zip(self._kinds, cells, strict=True):
            if cell.kind == "error":
                record[_BAD] = True
                said = f"column {name!r}: {cell.text}"
                self._bad.setdefault(ordinal, _Bad(name, said))
            elif cell.kind:
                self._kinds[name].add(cell.kind)
                record[name] = cell.text
        return record

    def _sheet(self, path: Path) -> tuple[list[str], Iterator[tuple[int, list[_Cell]]]]:
        """The names of the columns, and the rows that are not empty, each with its number in the sheet."""
        rows = self._cells(path)
        if not self._wanted.header:
            first = next(rows, None)
            names = [f"column{i}" for i in range(len(first[1]))] if first else []
            return self._required(path, names), _chain(first, rows, len(names))
        header = next(rows, None)
        found = [cell.text for cell in header[1]] if header else []
        while found and found[-1] is None:
            found.pop()
        names = [(text or "").strip() or f"column{i}" for i, text in enumerate(found)]
        return self._required(path, names), _chain(None, rows, len(names))

    def _required(self, path: Path, names: list[str]) -> list[str]:
        if not names:
            raise FatalError(f"{path.name}: the sheet has no rows", hint="name another with `sheet`")
        if twice := sorted(set(alike(names))):
            raise FatalError(
                f"{path.name}: the header names {', '.join(map(repr, twice))} more than once",
                hint="say with `range` where the table is, such as A3:F200, or rename the columns",
            )
        return names

    def _cells(self, path: Path) -> Iterator[tuple[int, list[_Cell]]]:
        with _workbook(path, values=True) as book, _workbook(path, values=False) as formulas:
            name = self._name_of_sheet(path, book.sheetnames)
            bounds = _bounds(self._wanted.range)
            rows = zip(book[name].iter_rows(**bounds), formulas[name].iter_rows(**bounds), strict=True)
            for number, (values, written) in enumerate(rows, bounds["min_row"] or 1):
                cells = [_cell(value, formula) for value, formula in zip(values, written, strict=True)]
                if any(cell.kind for cell in cells):
                    yield number, cells

    def _name_of_sheet(self, path: Path, names: Sequence[str]) -> str:
        wanted = self._wanted.sheet
        if wanted is None:
            return names[0]
        if wanted not in names:
            hint = did_you_mean(wanted, names) or f"it has: {', '.join(names)}"
            raise FatalError(f"{path.name} has no sheet {wanted!r}", hint=hint)
        return wanted


@contextmanager
def _workbook(path: Path, *, values: bool) -> Iterator[Any]:
    """The workbook, with the values of formulas or with the formulas themselves."""
    with extra("reading Excel files", "excel"):
        import openpyxl
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles, and of parts that are not read
            book = openpyxl.load_workbook(path, read_only=True, data_only=values)
    except (zipfile.BadZipFile, KeyError, ValueError, openpyxl.utils.exceptions.InvalidFileException) as exc:
        hint = "expected a file of Excel 2007 or later (.xlsx, .xlsm)"
        raise FatalError(f"{path.name} is not an Excel file that can be read: {exc}", hint=hint) from exc
    try:
        yield book
    finally:
        book.close()


def _cell(value: Any, formula: Any) -> _Cell:
    if value.data_type == "e":
        return _Cell("error", f"the cell {value.coordinate} is {value.value}")
    if value.value is None:
        if formula.data_type == "f":
            what = "has a formula without a value: open and save the file in Excel"
            return _Cell("error", f"the cell {formula.coordinate} {what}")
        return _Cell("", None)
    return _plain(value.value)


def _plain(value: object) -> _Cell:
    """What a value is, and text that says it exactly."""
    if isinstance(value, bool):
        return _Cell("boolean", str(value).lower())
    if isinstance(value, int):
        return _Cell("integer" if abs(value) < 2**63 else "text", str(value))
    if isinstance(value, float):
        return _Cell("number", repr(value))
    if isinstance(value, datetime):
        is_day = value.time() == time()
        return _Cell("date", value.date().isoformat()) if is_day else _Cell("moment", value.isoformat(" "))
    if isinstance(value, date | time):
        return _Cell("date" if isinstance(value, date) else "time", value.isoformat())
    return _Cell("text", str(value))


def _type_of(kinds: set[str]) -> str:
    return _TYPES.get(frozenset(kinds), "VARCHAR")


def _bounds(text: str | None) -> dict[str, int | None]:
    """What `A3:F200`, or `A:F`, means to openpyxl."""
    found = options.CELLS.fullmatch(text) if text else None
    left, top, right, bottom = found.groups() if found else (None,) * 4
    return {
        "min_col": _number(left),
        "min_row": int(top) if top else None,
        "max_col": _number(right),
        "max_row": int(bottom) if bottom else None,
    }


def _number(letters: str | None) -> int | None:
    """The number of a column: `A` is 1, `AA` is 27."""
    if letters is None:
        return None
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _chain(
    first: tuple[int, list[_Cell]] | None, rest: Iterator[tuple[int, list[_Cell]]], width: int
) -> Iterator[tuple[int, list[_Cell]]]:
    """The rows, each as wide as the header."""
    if first is not None:
        yield first
    for number, cells in rest:
        cells = [*cells[:width], *[_Cell("", None)] * (width - len(cells))]
        if any(cell.kind for cell in cells):
            yield number, cells


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch

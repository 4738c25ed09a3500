"""Parquet files as a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from windlass.connectors.files.paths import InputFiles
from windlass.connectors.files.reading.gathering import are_many_small
from windlass.connectors.files.reading.source import FileRelation
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch, file_literal, literal
from windlass.connectors.source import Reading
from windlass.errors import FatalError

__all__ = ["ParquetRelation"]


_DIGITS = 38  # of a decimal of DuckDB
_EXACT = {"FLOAT": ("FLOAT",), "DOUBLE": ("FLOAT", "DOUBLE", "INT32")}
"""Columns as DuckDB reads them from all files, and what a file may have that is the same number then."""

_AT_ONCE = 500  # files a scan: DuckDB takes the longer for each, the more there are


class ParquetRelation(FileRelation):
    """One or more Parquet files, `name=value` folders included."""

    def __init__(
        self, files: InputFiles, reading: Reading, scratch: Scratch, rows: tuple[int, int] | None = None
    ) -> None:
        """`rows`: only those from the first number on, and below the second, of the one file."""
        super().__init__(files, reading, scratch)
        many = are_many_small(files.paths, files.size())
        self._rows = self._gathered() if many else self._read(files.paths)
        if rows is not None:
            self._rows = self._read_some(files.paths, *rows)

    def found_columns(self) -> list[Column]:
        columns = self._scratch.describe(f"SELECT * FROM {self._rows}")
        if any(kind in column.type for column in columns for kind in _EXACT):
            self._check_digits({column.name: column.type for column in columns})
        times = {column.name for column in columns if column.type == "TIMESTAMP"}
        if times:
            self._check_nanoseconds(times)
        return columns

    def rows(self) -> str:
        return self._rows

    def _check_digits(self, columns: Mapping[str, str]) -> None:
        """Raise FatalError for numbers that DuckDB's reader makes floating-point ones of, unless `select` leaves them
        out: decimals with many digits, and those of one file where another has floating-point numbers.
        """
        named, kinds = self._reading.named, "name, type, max(precision)"
        for files in self._some_files():
            found = (
                f"SELECT {kinds} FROM parquet_schema([{files}]) WHERE type IS NOT NULL GROUP BY name, type"
            )
            for name, kind, digits in self._scratch.rows(found):
                if named is not None and name not in named and name in columns:
                    continue
                if digits is not None and digits > _DIGITS:
                    message = f"{self.name}: column {name!r} has decimals of {digits} digits, and {_DIGITS} are exact"
                    raise FatalError(message, hint="leave it out with `select`, or write it as text")
                if kind not in _EXACT.get(columns.get(name, ""), (kind,)):
                    self._check_mixed(name, columns[name], files)

    def _check_mixed(self, name: str, kind: str, files: str) -> None:
        """Raise FatalError if a column itself, and not one within another, has numbers in a file that become others."""
        exact = ", ".join(map(literal, _EXACT[kind]))
        own = f"path_in_schema = {literal(name)} AND type NOT IN ({exact})"
        found = self._scratch.rows(
            f"SELECT file_name, type FROM parquet_metadata([{files}]) WHERE {own} LIMIT 1"
        )
        for file, other in found:
            message = (
                f"{self.name}: column {name!r} has floating-point numbers ({kind}) in one file, and {other} in "
                f"{file}: no type holds both exactly"
            )
            hint = "write the files with one type, leave it out with `select`, or copy them apart"
            raise FatalError(message, hint=hint)

    def _some_files(self) -> Iterator[str]:
        """The files as SQL, some hundred at a time."""
        paths = self._files.paths
        for begin in range(0, len(paths), _AT_ONCE):
            yield ", ".join(file_literal(path) for path in paths[begin : begin + _AT_ONCE])

    def _check_nanoseconds(self, columns: set[str]) -> None:
        """Raise FatalError for the old INT96 times of Hive and Impala if they are finer than what DuckDB reads of them."""
        wanted = columns if self._reading.named is None else columns & self._reading.named
        for files in self._some_files():
            found = f"SELECT file_name, name FROM parquet_schema([{files}]) WHERE type = 'INT96'"
            for path, name in self._scratch.rows(found):
                if name in wanted and _has_nanoseconds(path, name):
                    message = f"{self.name}: column {name!r} has times finer than microseconds, in INT96"
                    raise FatalError(
                        message, hint="leave it out with `select`, or write it as TIMESTAMP(NANOS)"
                    )

    def _read(self, paths: Sequence[Path]) -> str:
        files = ", ".join(file_literal(path) for path in paths)
        partitioned = literal(any("=" in path.parent.name for path in paths))
        return f"read_parquet([{files}], union_by_name = true, hive_partitioning = {partitioned})"

    def _read_some(self, paths: Sequence[Path], begin: int, end: int) -> str:
        """Row groups without such a row are passed over."""
        rows = self._read(paths).removesuffix(")") + ", file_row_number = true)"
        some = f"file_row_number >= {begin} AND file_row_number < {end}"
        return f"(SELECT * EXCLUDE (file_row_number) FROM {rows} WHERE {some})"

    def _gathered(self) -> str:
        """Small files as tables of the scratch database, some hundred of them in each."""
        tables = []
        for begin in range(0, len(self._files.paths), _AT_ONCE):
            table = self._scratch.new_name()
            rows = self._read(self._files.paths[begin : begin + _AT_ONCE])
            self._scratch.rows(f"CREATE TABLE {table} AS FROM {rows}")
            tables.append(table)
        return f"({' UNION ALL BY NAME '.join(f'FROM {table}' for table in tables)})"


def _has_nanoseconds(path: str, column: str) -> bool:
    """Whether INT96 times are finer than microseconds. (Years that nanoseconds do not reach overflow alike in both.)"""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    exact, coarse = (
        pq.ParquetFile(path, coerce_int96_timestamp_unit=unit).iter_batches(columns=[column])
        for unit in ("ns", "us")
    )
    return any(
        pc.any(pc.not_equal(one[0].cast("int64"), pc.multiply(other[0].cast("int64"), 1000))).as_py()
        for one, other in zip(exact, coarse, strict=True)
    )

"""Parquet files as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from windlass.connectors.files.paths import InputFiles
from windlass.connectors.files.reading.gathering import are_many_small
from windlass.connectors.files.reading.source import FileRelation
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch, file_literal, literal
from windlass.connectors.source import Reading
from windlass.errors import FatalError

__all__ = ["ParquetRelation"]


_DIGITS = 38  # of a decimal of DuckDB
_AT_ONCE = 500  # files a scan: DuckDB takes the longer for each, the more there are


class ParquetRelation(FileRelation):
    """One or more Parquet files, `name=value` folders included."""

    def __init__(self, files: InputFiles, reading: Reading, scratch: Scratch) -> None:
        super().__init__(files, reading, scratch)
        many = are_many_small(files.paths, files.size())
        self._rows = self._gathered() if many else self._read(files.paths)

    def found_columns(self) -> list[Column]:
        columns = self._scratch.describe(f"SELECT * FROM {self._rows}")
        if any("DOUBLE" in column.type for column in columns):
            self._check_digits({column.name for column in columns})
        times = {column.name for column in columns if column.type == "TIMESTAMP"}
        if times:
            self._check_nanoseconds(times)
        return columns

    def rows(self) -> str:
        return self._rows

    def _check_digits(self, columns: set[str]) -> None:
        """Raise FatalError for a decimal that DuckDB's reader makes a double of, unless `select` leaves it out."""
        named = self._reading.named
        for name, digits in self._in_schemas("name, precision", f"precision > {_DIGITS}"):
            if named is None or name in named or name not in columns:
                message = (
                    f"{self.name}: column {name!r} has decimals of {digits} digits, and {_DIGITS} are exact"
                )
                raise FatalError(message, hint="leave it out with `select`, or write it as text")

    def _check_nanoseconds(self, columns: set[str]) -> None:
        """Raise FatalError for the old INT96 times of Hive and Impala if they are finer than what DuckDB reads of them."""
        wanted = columns if self._reading.named is None else columns & self._reading.named
        for path, name in self._in_schemas("file_name, name", "type = 'INT96'"):
            if name in wanted and _has_nanoseconds(path, name):
                message = f"{self.name}: column {name!r} has times finer than microseconds, in INT96"
                raise FatalError(message, hint="leave it out with `select`, or write it as TIMESTAMP(NANOS)")

    def _in_schemas(self, columns: str, condition: str) -> Iterator[tuple[Any, ...]]:
        """What the schemas of the files say."""
        paths = self._files.paths
        for begin in range(0, len(paths), _AT_ONCE):
            files = ", ".join(file_literal(path) for path in paths[begin : begin + _AT_ONCE])
            yield from self._scratch.rows(
                f"SELECT {columns} FROM parquet_schema([{files}]) WHERE {condition}"
            )

    def _read(self, paths: Sequence[Path]) -> str:
        files = ", ".join(file_literal(path) for path in paths)
        partitioned = literal(any("=" in path.parent.name for path in paths))
        return f"read_parquet([{files}], union_by_name = true, hive_partitioning = {partitioned})"

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
    """Whether INT96 times are no whole microseconds. (Years that nanoseconds do not reach overflow alike in both.)"""
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

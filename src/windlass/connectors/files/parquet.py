"""Parquet files as a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from windlass.connectors.files.gathering import are_many_small
from windlass.connectors.files.paths import InputFiles
from windlass.connectors.files.source import FileSource
from windlass.connectors.protocol import Column
from windlass.connectors.scratch import Scratch, file_literal, literal
from windlass.connectors.typed import TypedSource

__all__ = ["ParquetSource"]


_AT_ONCE = 500  # files a scan: DuckDB takes the longer for each, the more there are


class ParquetSource(TypedSource, FileSource):
    """One or more Parquet files, `name=value` folders included. Implements `Source`."""

    def __init__(self, files: InputFiles) -> None:
        super().__init__(files)
        self._tables: list[str] = []

    def columns(self, scratch: Scratch, *, infer: bool) -> list[Column]:
        return scratch.describe(f"SELECT * FROM {self.relation(scratch)}")

    def relation(self, scratch: Scratch) -> str:
        if are_many_small(self._files.paths, self._files.size()):
            base = self._gathered(scratch)
        else:
            base = self._read(self._files.paths)
        return f"(SELECT * FROM {base}{self._filter})" if self._filter else base

    def _read(self, paths: Sequence[Path]) -> str:
        files = ", ".join(file_literal(path) for path in paths)
        partitioned = literal(any("=" in path.parent.name for path in paths))
        return f"read_parquet([{files}], union_by_name = true, hive_partitioning = {partitioned})"

    def _gathered(self, scratch: Scratch) -> str:
        """Small files as tables of the scratch database, some hundred of them in each."""
        if not self._tables:
            for begin in range(0, len(self._files.paths), _AT_ONCE):
                table = scratch.new_name()
                scratch.rows(
                    f"CREATE TABLE {table} AS FROM {self._read(self._files.paths[begin : begin + _AT_ONCE])}"
                )
                self._tables.append(table)
        return f"({' UNION ALL BY NAME '.join(f'FROM {table}' for table in self._tables)})"

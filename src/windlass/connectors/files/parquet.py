"""Parquet files as a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from windlass.connectors.files.gathering import are_many_small
from windlass.connectors.files.paths import InputFiles
from windlass.connectors.protocol import Column, Interval
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.connectors.typed import TypedSource
from windlass.errors import FatalError, did_you_mean

__all__ = ["ParquetSource"]


_AT_ONCE = 500  # files a scan: DuckDB takes the longer for each, the more there are


class ParquetSource(TypedSource):
    """One or more Parquet files, `name=value` folders included. Implements `Source`."""

    rereadable = True
    filters_interval = False

    def __init__(self, files: InputFiles) -> None:
        self.name = files.written
        self.cursor: str | None = None
        self._files = files
        self._filter = ""
        self._tables: list[str] = []

    def close(self) -> None:
        return

    def fingerprint(self) -> dict[str, object]:
        return self._files.fingerprint()

    def slice(self, column: str, interval: Interval) -> None:
        raise FatalError("a file cannot be sliced")

    def advance(self, cursor: str, last: str | None, scratch: Scratch | None) -> None:
        assert scratch is not None
        types = {column.name: column.type for column in self.columns(scratch, infer=False)}
        if cursor not in types:
            raise FatalError(f"{self.name} has no column {cursor!r}", hint=did_you_mean(cursor, types))
        name = identifier(cursor)
        highest = scratch.value(f"SELECT CAST(max({name}) AS VARCHAR) FROM {self.relation(scratch)}")
        self.cursor = highest or last
        if last is not None:
            self._filter = f" WHERE {name} > CAST({literal(last)} AS {types[cursor]})"

    def columns(self, scratch: Scratch, *, infer: bool) -> list[Column]:
        return scratch.describe(f"SELECT * FROM {self.relation(scratch)}")

    def relation(self, scratch: Scratch) -> str:
        if are_many_small(self._files.paths, self._files.size()):
            base = self._gathered(scratch)
        else:
            base = self._read(self._files.paths)
        return f"(SELECT * FROM {base}{self._filter})" if self._filter else base

    def _read(self, paths: Sequence[Path]) -> str:
        files = ", ".join(literal(str(path)) for path in paths)
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

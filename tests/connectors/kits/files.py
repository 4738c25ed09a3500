"""Files, a kit for each format."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from windlass import registry
from windlass.plan.model import Destination, Mode, Source
from windlass.testing import NAMES, Kit, NdjsonKit, Row, destination_of, record, source_of

__all__ = ["CsvKit", "JsonKit", "NdjsonKit", "ParquetKit"]


class _FilesKit(Kit):
    """A file for each source."""

    connector = registry.FILES
    format: ClassVar[str]

    def source(self, rows: Sequence[Row]) -> Source:
        made = sum(1 for _ in self.copier.folder.glob(f"source_*.{self.format}"))
        path = f"source_{made}.{self.format}"
        self.write(self.copier.folder / path, rows)
        return source_of(path=path)

    def add(self, source: Source, row: Row) -> None:
        file = self.copier.folder / str(source.path)
        self.write(file, [*self.read(file), row])

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        key = ("id",) if mode == "merge" else ()
        return destination_of(path=f"target.{self.format}", mode=mode, key=key, **options)

    def raw(self) -> Iterable[Sequence[Any]]:
        return self.read(self.copier.folder / f"target.{self.format}")

    def write(self, file: Path, rows: Sequence[Any]) -> None:
        raise NotImplementedError

    def read(self, file: Path) -> list[tuple[Any, ...]]:
        raise NotImplementedError


class CsvKit(_FilesKit):
    format = "csv"

    def write(self, file: Path, rows: Sequence[Any]) -> None:
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(NAMES)
            writer.writerows([[self._text(value) for value in row] for row in rows])

    def read(self, file: Path) -> list[tuple[Any, ...]]:
        with file.open(encoding="utf-8", newline="") as lines:
            return [tuple(row[name] or None for name in NAMES) for row in csv.DictReader(lines)]

    def _text(self, value: object) -> object:
        return "" if value is None else str(value).lower() if isinstance(value, bool) else value


class JsonKit(_FilesKit):
    format = "json"

    def write(self, file: Path, rows: Sequence[Any]) -> None:
        file.write_text(f"[{', '.join(map(record, rows))}]", encoding="utf-8")

    def read(self, file: Path) -> list[tuple[Any, ...]]:
        records = json.loads(file.read_text("utf-8"))
        assert all(tuple(row) == NAMES and type(row["id"]) is int for row in records)
        return [tuple(row.values()) for row in records]


class ParquetKit(_FilesKit):
    format = "parquet"

    def write(self, file: Path, rows: Sequence[Any]) -> None:
        columns = list(zip(*rows, strict=True)) or [()] * len(NAMES)
        arrays = [
            pa.array(columns[0], pa.int64()),
            pa.array(columns[1], pa.string()),
            pa.array([Decimal(str(value)) for value in columns[2]], pa.decimal128(12, 2)),
            pa.array(columns[3], pa.bool_()),
            pa.array([date.fromisoformat(str(value)) for value in columns[4]], pa.date32()),
            pa.array(
                [value and datetime.fromisoformat(str(value)) for value in columns[5]], pa.timestamp("us")
            ),
        ]
        pq.write_table(pa.table(arrays, NAMES), file)

    def read(self, file: Path) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in NAMES) for row in pq.read_table(file).to_pylist()]

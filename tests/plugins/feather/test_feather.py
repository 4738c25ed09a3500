"""The connector does all that windlass asks of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather

from windlass.connections import Address
from windlass.plan.model import Destination, Mode, Source
from windlass.testing import NAMES, Conformance, Copier, Kit, Row, destination_of, source_of

TYPES = (pa.int64(), pa.string(), pa.decimal128(12, 2), pa.bool_(), pa.date32(), pa.timestamp("us"))


class FeatherKit(Kit):
    connector = "feather"

    def source(self, rows: Sequence[Row]) -> Source:
        name = f"source_{len(self.copier.addresses)}"
        self._write(name, list(rows))
        return source_of(connection=name)

    def add(self, source: Source, row: Row) -> None:
        name = str(source.connection)
        self._write(name, [*self._rows(name), row])

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        return destination_of(connection=self._connection("target"), mode=mode, **options)

    def raw(self) -> Iterable[Sequence[Any]]:
        return self._rows("target")

    def _connection(self, name: str) -> str:
        file = str(self.copier.folder / f"{name}.feather")
        self.copier.addresses[name] = Address("feather", database=file)
        return name

    def _rows(self, name: str) -> list[tuple[Any, ...]]:
        found = feather.read_table(self.copier.addresses[name].database).to_pylist()
        return [tuple(row[name] for name in NAMES) for row in found]

    def _write(self, name: str, rows: list[Any]) -> None:
        values = [
            (i, n, Decimal(str(a)), ok, date.fromisoformat(str(d)), t and datetime.fromisoformat(str(t)))
            for i, n, a, ok, d, t in rows
        ]
        columns = list(zip(*values, strict=True)) or [()] * len(NAMES)
        table = pa.table([pa.array(c, kind) for c, kind in zip(columns, TYPES, strict=True)], NAMES)
        feather.write_feather(table, self.copier.addresses[self._connection(name)].database)


class TestFeather(Conformance):
    @pytest.fixture
    def kit(self, tmp_path: Path) -> FeatherKit:
        return FeatherKit(Copier(tmp_path))

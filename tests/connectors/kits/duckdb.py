"""Tables of DuckDB files, each source in one of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from windlass.connections import Address
from windlass.plan.model import Destination, Mode, Source
from windlass.testing import Kit, Row, destination_of, source_of

_TABLE = '(id bigint, name text, amount numeric(12,2), ok boolean, day date, "at" timestamp)'


class DuckdbKit(Kit):
    connector = "duckdb"

    def source(self, rows: Sequence[Row]) -> Source:
        name = f"source_{len(self.copier.addresses)}"
        with self._connect(name) as file:
            file.execute(f"CREATE TABLE t {_TABLE}")
            if rows:
                file.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        return source_of(connection=name, table="t")

    def add(self, source: Source, row: Row) -> None:
        with self._connect(str(source.connection)) as file:
            file.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", row)

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        self._address("target_of_duckdb")
        key = ("id",) if mode == "merge" else ()
        return destination_of(connection="target_of_duckdb", table="target", mode=mode, key=key, **options)

    def raw(self) -> Iterable[Sequence[Any]]:
        with self._connect("target_of_duckdb") as file:
            return file.execute('SELECT id, name, amount, ok, day, "at" FROM target').fetchall()

    def left(self) -> list[str]:
        with self._connect("target_of_duckdb") as file:
            tables = file.execute("SELECT name FROM (SHOW ALL TABLES) ORDER BY 1").fetchall()
        return [*super().left(), *(row[0] for row in tables)]

    def _connect(self, name: str) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(self._address(name).database)

    def _address(self, name: str) -> Address:
        file = str(self.copier.folder / f"{name}.duckdb")
        return self.copier.addresses.setdefault(name, Address("duckdb", database=file))

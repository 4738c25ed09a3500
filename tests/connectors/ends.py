"""Every kind of end of a copy, made and looked at by means of its own: none of the engine's code."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.connectors.conftest import Copier, Database
from tests.copies import destination_of, source_of
from windlass.connections import Address
from windlass.plan.model import Destination, Mode, Source

Row = tuple[int, str | None, str, bool | None, str, str | None]
"""id, name, amount, ok, day, at: as text where ends differ in how they say it."""

NAMES = ("id", "name", "amount", "ok", "day", "at")
TABLE = '(id bigint, name text, amount numeric(12,2), ok boolean, day date, "at" timestamp)'

OLD: list[Row] = [
    (1, "Ada", "120.50", True, "2020-01-01", "2020-01-01 12:00:00"),
    (2, 'quo"te, comma', "-0.01", False, "2020-02-29", "2020-02-29 23:59:59.999999"),
    (3, "two\nlines", "0.00", True, "1999-12-31", None),
]
NEW: list[Row] = [
    (3, "naïve 🎉", "99999999.99", None, "2020-06-01", "2020-06-01 00:00:00"),
    (4, None, "7.00", False, "2020-06-02", None),
]


@dataclass
class Kit:
    """Makes sources with rows, and destinations, and looks at what is in those."""

    copier: Copier
    postgres: Database
    made: int = 0

    def source(self, kind: str, rows: list[Row]) -> Source:
        """A new source of that kind, with these rows."""
        self.made += 1
        make: dict[str, Callable[[str, list[Row]], Source]] = {
            "postgres": self._postgres,
            "sqlite": self._sqlite,
            "duckdb": self._duckdb,
            "csv": self._csv,
            "json": self._json,
            "ndjson": self._ndjson,
            "parquet": self._parquet,
        }
        return make[kind](f"source_{self.made}", rows)

    def destination(self, kind: str, mode: Mode = "replace", **options: Any) -> Destination:
        """The destination of that kind: always the same table or file."""
        key = ("id",) if mode == "merge" else ()
        if kind in ("postgres", "sqlite", "duckdb"):
            self.copier.addresses["postgres"] = self.postgres.address
            return destination_of(connection=kind, table="target", mode=mode, key=key, **options)
        return destination_of(path=f"target.{kind}", mode=mode, key=key, **options)

    def rows(self, kind: str) -> list[Row]:
        """What is in the destination, in order of the ids."""
        return sorted(canonical(row) for row in self.raw(kind))

    # --- making ---

    def _postgres(self, name: str, rows: list[Row]) -> Source:
        self.copier.addresses["postgres"] = self.postgres.address
        values = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
        self.postgres.run(f"CREATE TABLE {name} {TABLE}; INSERT INTO {name} VALUES {values}")
        return source_of(connection="postgres", table=name)

    def _sqlite(self, name: str, rows: list[Row]) -> Source:
        file = self.copier.folder / f"{name}.db"
        self.copier.addresses[name] = Address("sqlite", database=str(file))
        connection = sqlite3.connect(file)
        connection.execute(f"CREATE TABLE t {TABLE}")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
        connection.close()
        return source_of(connection=name, table="t")

    def _duckdb(self, name: str, rows: list[Row]) -> Source:
        file = self.copier.folder / f"{name}.duckdb"
        self.copier.addresses[name] = Address("duckdb", database=str(file))
        with duckdb.connect(str(file)) as connection:
            connection.execute(f"CREATE TABLE t {TABLE}")
            connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        return source_of(connection=name, table="t")

    def _csv(self, name: str, rows: list[Row]) -> Source:
        with (self.copier.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(NAMES)
            writer.writerows([[as_csv(value) for value in row] for row in rows])
        return source_of(path=f"{name}.csv")

    def _ndjson(self, name: str, rows: list[Row]) -> Source:
        text = "".join(f"{record(row)}\n" for row in rows)
        (self.copier.folder / f"{name}.ndjson").write_text(text, encoding="utf-8")
        return source_of(path=f"{name}.ndjson")

    def _json(self, name: str, rows: list[Row]) -> Source:
        text = f"[{', '.join(map(record, rows))}]"
        (self.copier.folder / f"{name}.json").write_text(text, encoding="utf-8")
        return source_of(path=f"{name}.json")

    def _parquet(self, name: str, rows: list[Row]) -> Source:
        columns = list(zip(*rows, strict=True))
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
        pq.write_table(pa.table(arrays, NAMES), self.copier.folder / f"{name}.parquet")
        return source_of(path=f"{name}.parquet")

    # --- looking ---

    def raw(self, kind: str) -> Iterable[Any]:
        """The same, as the end says it."""
        names, folder = 'id, name, amount, ok, day, "at"', self.copier.folder
        if kind == "postgres":
            return self.postgres.rows(f"SELECT {names} FROM target")
        if kind == "sqlite":
            connection = sqlite3.connect(folder / "file.db")
            found = connection.execute(f"SELECT {names} FROM target").fetchall()
            connection.close()
            return found
        if kind == "duckdb":
            with duckdb.connect(str(folder / "file.duckdb"), read_only=True) as database:
                return database.execute(f"SELECT {names} FROM target").fetchall()
        file = folder / f"target.{kind}"
        if kind == "parquet":
            return [tuple(row[name] for name in NAMES) for row in pq.read_table(file).to_pylist()]
        if kind == "csv":
            with file.open(encoding="utf-8", newline="") as lines:
                return [tuple(row[name] or None for name in NAMES) for row in csv.DictReader(lines)]
        text = file.read_text("utf-8")
        records = json.loads(text) if kind == "json" else [json.loads(v) for v in text.split("\n") if v]
        assert all(tuple(row) == NAMES and type(row["id"]) is int for row in records)
        return [tuple(row.values()) for row in records]


def literal(value: object) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def as_csv(value: object) -> object:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


def record(row: Row) -> str:
    """As JSON, the amount as a number."""
    values: dict[str, Any] = dict(zip(NAMES, row, strict=True))
    return json.dumps({**values, "amount": float(row[2])}, ensure_ascii=False)


def canonical(row: Iterable[Any]) -> Row:
    number, name, amount, ok, day, at = row
    known = {True: True, False: False, "true": True, "false": False, None: None}
    time = None if at is None else datetime.fromisoformat(str(at)).isoformat(" ")
    return (int(number), name, f"{Decimal(str(amount)):.2f}", known[ok], str(day), time)

"""Kits: what makes and looks at the ends of a copy, owing nothing to the connector whose ends they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar

from windlass import registry
from windlass.connections import Address
from windlass.plan.model import Destination, Incremental, Mode, Source
from windlass.testing.copies import Copier, destination_of, source_of
from windlass.testing.rows import NAMES, Row, canonical, record

__all__ = ["Kit", "NdjsonKit", "SqliteKit"]


class Kit:
    """One kind of end. A kit has what its connector can be: a source, a destination, or both."""

    connector: ClassVar[str]
    """The type of the connector."""

    gaps: ClassVar[Mapping[str, str]] = {}
    """Tests of the suite that fail, or cases of them (`test_this[that]`), and why."""

    more: ClassVar[tuple[str, ...]] = ()
    """Columns that its sources have beside `NAMES`."""

    def __init__(self, copier: Copier) -> None:
        self.copier = copier

    @classmethod
    def reads(cls) -> bool:
        """Whether it can be a source."""
        return registry.require(cls.connector).source is not None

    @classmethod
    def writes(cls) -> bool:
        """Whether it can be a destination."""
        return registry.require(cls.connector).destination is not None

    def source(self, rows: Sequence[Row]) -> Source:
        """A new source with these rows."""
        raise NotImplementedError

    def add(self, source: Source, row: Row) -> None:
        """Add a row to a source that was made before."""
        raise NotImplementedError

    def incremental(self, cursor: str) -> Incremental:
        """`incremental:` with a cursor, `id` or a date, for a source to which rows are only added."""
        return Incremental(cursor=cursor)

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        """The destination: always the same one; for `merge` its key is `id`."""
        raise NotImplementedError

    def raw(self) -> Iterable[Sequence[Any]]:
        """The rows in the destination, the values of each in the order of `NAMES`."""
        raise NotImplementedError

    def rows(self) -> list[Row]:
        """The same, in the order of the ids, to be compared."""
        return sorted((canonical(row) for row in self.raw()), key=lambda row: row[0])

    def left(self) -> list[str]:
        """What there is where the destination is, other than rows: nothing may be added by a load that failed."""
        return sorted(file.name for file in self.copier.folder.iterdir())

    def close(self) -> None:
        """End what the kit has started."""


class NdjsonKit(Kit):
    """Files of a JSON object a line."""

    connector = registry.FILES
    gaps: ClassVar[Mapping[str, str]] = {
        "test_no_rows_leave_a_table_empty": "a file without a byte is more likely cut off than a way to say nothing"
    }

    def source(self, rows: Sequence[Row]) -> Source:
        files = sum(1 for _ in self.copier.folder.glob("source_*.ndjson"))
        path = f"source_{files}.ndjson"
        (self.copier.folder / path).write_text("".join(f"{record(row)}\n" for row in rows), encoding="utf-8")
        return source_of(path=path)

    def add(self, source: Source, row: Row) -> None:
        with (self.copier.folder / str(source.path)).open("a", encoding="utf-8") as file:
            file.write(f"{record(row)}\n")

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        return destination_of(path="target.ndjson", mode=mode, key=_key(mode), **options)

    def raw(self) -> Iterable[Sequence[Any]]:
        lines = (self.copier.folder / "target.ndjson").read_text("utf-8").split("\n")
        records = [json.loads(line) for line in lines if line]
        assert all(tuple(found) == NAMES and type(found["id"]) is int for found in records)
        return [tuple(found.values()) for found in records]


class SqliteKit(Kit):
    """Tables of SQLite files: each source in one of its own."""

    connector = "sqlite"

    def source(self, rows: Sequence[Row]) -> Source:
        name = f"source_{len(self.copier.addresses)}"
        self._connect(name)
        with self._open(name) as file:
            file.execute(
                'CREATE TABLE t (id bigint, name text, amount numeric(12,2), ok boolean, day date, "at" timestamp)'
            )
            file.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
            file.commit()
        return source_of(connection=name, table="t")

    def add(self, source: Source, row: Row) -> None:
        with self._open(str(source.connection)) as file:
            file.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", row)
            file.commit()

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        self._connect("target_of_sqlite")
        return destination_of(
            connection="target_of_sqlite", table="target", mode=mode, key=_key(mode), **options
        )

    def raw(self) -> Iterable[Sequence[Any]]:
        return self.query('SELECT id, name, amount, ok, day, "at" FROM target')

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the file that the destination is in."""
        with self._open("target_of_sqlite") as file:
            return file.execute(sql).fetchall()

    def left(self) -> list[str]:
        return [*super().left(), *(row[0] for row in self.query("SELECT name FROM sqlite_master ORDER BY 1"))]

    def _connect(self, name: str) -> None:
        self.copier.addresses[name] = Address("sqlite", database=str(self.copier.folder / f"{name}.db"))

    def _open(self, name: str) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.copier.addresses[name].database))


def _key(mode: Mode) -> tuple[str, ...]:
    return ("id",) if mode == "merge" else ()

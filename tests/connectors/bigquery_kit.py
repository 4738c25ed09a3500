"""Tables of one dataset of BigQuery. It is not among the kits that meet each other in test_pairs.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from windlass.connections import Address
from windlass.connectors.bigquery.client import Connection
from windlass.plan.model import Destination, Mode, Source
from windlass.testing import Copier, Kit, Row, destination_of, source_of

_COLUMNS = "(id INT64, name STRING, amount NUMERIC(12, 2), ok BOOL, day DATE, `at` DATETIME)"


class BigqueryKit(Kit):
    connector = "bigquery"

    def __init__(self, copier: Copier, bigquery: Address) -> None:
        super().__init__(copier)
        self._connection, self._made = Connection(bigquery), 0
        copier.addresses["bigquery"] = bigquery

    def source(self, rows: Sequence[Row]) -> Source:
        self._made += 1
        name = f"source_{self._made}"
        self._connection.run(f"CREATE TABLE {name} {_COLUMNS}")
        if rows:
            self._insert(name, rows)
        return source_of(connection="bigquery", table=name)

    def add(self, source: Source, row: Row) -> None:
        self._insert(str(source.table), [row])

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        key = ("id",) if mode == "merge" else ()
        return destination_of(connection="bigquery", table="target", mode=mode, key=key, **options)

    def raw(self) -> Iterable[Sequence[Any]]:
        return self._connection.rows("SELECT id, name, amount, ok, day, `at` FROM target")

    def left(self) -> list[str]:
        found = self._connection.client.list_tables(self._connection.dataset, timeout=60)
        return [*super().left(), *(table.table_id for table in found)]

    def close(self) -> None:
        self._connection.close()

    def _insert(self, name: str, rows: Sequence[Row]) -> None:
        values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
        self._connection.run(f"INSERT INTO {name} (id, name, amount, ok, day, `at`) VALUES {values}")


def _literal(value: object) -> str:
    if value is None or isinstance(value, bool | int):
        return "NULL" if value is None else str(value)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{text}'"

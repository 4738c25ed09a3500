"""Tables of one database of MySQL or MariaDB."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.connectors.mysql_database import MysqlDatabase
from windlass.plan.model import Destination, Incremental, Mode, Source
from windlass.testing import Copier, Kit, Row, destination_of, source_of

_TABLE = "(id bigint, name text, amount decimal(12,2), ok boolean, day date, `at` datetime(6)) CHARACTER SET utf8mb4"


class MysqlKit(Kit):
    connector = "mysql"
    fixtures = ("mysql",)

    def __init__(self, copier: Copier, mysql: MysqlDatabase) -> None:
        super().__init__(copier)
        self._mysql, self._made = mysql, 0
        copier.addresses["mysql"] = mysql.address

    def source(self, rows: Sequence[Row]) -> Source:
        self._made += 1
        name = f"source_{self._made}"
        self._mysql.run(f"CREATE TABLE {name} {_TABLE}", *_inserts(name, rows))
        return source_of(connection="mysql", table=name)

    def add(self, source: Source, row: Row) -> None:
        self._mysql.run(*_inserts(str(source.table), [row]))

    def incremental(self, cursor: str) -> Incremental:
        return Incremental(cursor=cursor, lookback=1 if cursor in ("id", "amount") else "1s")

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        key = ("id",) if mode == "merge" else ()
        return destination_of(connection="mysql", table="target", mode=mode, key=key, **options)

    def raw(self) -> Iterable[Sequence[Any]]:
        rows = self._mysql.rows("SELECT id, name, amount, ok, day, `at` FROM target")
        return [(*row[:3], None if row[3] is None else bool(row[3]), *row[4:]) for row in rows]

    def left(self) -> list[str]:
        return [*super().left(), *(row[0] for row in self._mysql.rows("SHOW TABLES"))]


def _inserts(table: str, rows: Sequence[Row]) -> list[str]:
    return [f"INSERT INTO {table} VALUES ({', '.join(map(_literal, row))})" for row in rows]


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"

"""Tables of one Postgres database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.connectors.database import Database
from windlass.plan.model import Destination, Mode, Source
from windlass.testing import Copier, Kit, Row, destination_of, source_of

_TABLE = '(id bigint, name text, amount numeric(12,2), ok boolean, day date, "at" timestamp)'
_OURS = """
    SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema') ORDER BY 1
"""


class PostgresKit(Kit):
    connector = "postgres"
    fixtures = ("postgres",)

    def __init__(self, copier: Copier, postgres: Database) -> None:
        super().__init__(copier)
        self._postgres, self._made = postgres, 0
        copier.addresses["postgres"] = postgres.address

    def source(self, rows: Sequence[Row]) -> Source:
        self._made += 1
        name = f"source_{self._made}"
        self._postgres.run(f"CREATE TABLE {name} {_TABLE}; {_insert(name, rows)}")
        return source_of(connection="postgres", table=name)

    def add(self, source: Source, row: Row) -> None:
        self._postgres.run(_insert(str(source.table), [row]))

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        key = ("id",) if mode == "merge" else ()
        return destination_of(connection="postgres", table="target", mode=mode, key=key, **options)

    def raw(self) -> Iterable[Sequence[Any]]:
        return self._postgres.rows('SELECT id, name, amount, ok, day, "at" FROM target')

    def left(self) -> list[str]:
        return [*super().left(), *(row[0] for row in self._postgres.rows(_OURS))]


def _insert(table: str, rows: Sequence[Row]) -> str:
    values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    return f"INSERT INTO {table} VALUES {values}" if rows else ""


def _literal(value: object) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"

"""Tables that drivers of ADBC read: of a Postgres database, and of a SQLite file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from tests.connectors.database import Database
from tests.connectors.kits.postgres import PostgresKit
from windlass.connections import Address
from windlass.plan.model import Incremental, Source
from windlass.testing import Copier, Row, SqliteKit, source_of

__all__ = ["AdbcPostgresKit", "AdbcSqliteKit"]


class AdbcPostgresKit(PostgresKit):
    connector = "adbc"
    gaps: ClassVar[Mapping[str, str]] = {
        "test_rules_mean_the_same_for_every_source[adbcpostgres-amount-rules4-good4]": "the driver gives numbers "
        "of any size, which a new table of SQLite has as text, and a bound in quotes is one of text"
    }

    def __init__(self, copier: Copier, postgres: Database) -> None:
        super().__init__(copier, postgres)
        where = postgres.address
        copier.addresses["adbc"] = Address(
            "adbc",
            where.host,
            where.port,
            where.user,
            where.password,
            where.database,
            scheme="adbc+postgresql",
        )

    def source(self, rows: Sequence[Row]) -> Source:
        return source_of(connection="adbc", table=str(super().source(rows).table))

    def incremental(self, cursor: str) -> Incremental:
        return Incremental(cursor=cursor, lookback=1 if cursor in ("id", "idd") else "1s")


class AdbcSqliteKit(SqliteKit):
    connector = "adbc"
    gaps: ClassVar[Mapping[str, str]] = {
        "test_rules_mean_the_same_for_every_source[adbcsqlite-ok-rules5-good5]": "to the driver true is the number 1"
    }

    def source(self, rows: Sequence[Row]) -> Source:
        made = super().source(rows)
        file = self.copier.addresses[str(made.connection)].database
        name = f"adbc_{made.connection}"
        self.copier.addresses[name] = Address("adbc", scheme="adbc+sqlite", options={"uri": file})
        return source_of(connection=name, table="t")

    def add(self, source: Source, row: Row) -> None:
        super().add(source_of(connection=str(source.connection).removeprefix("adbc_"), table="t"), row)

    def incremental(self, cursor: str) -> Incremental:
        return Incremental(cursor=cursor, lookback=1 if cursor in ("id", "idd", "amount") else "1s")

    def raw(self) -> Iterable[Sequence[Any]]:
        raise NotImplementedError

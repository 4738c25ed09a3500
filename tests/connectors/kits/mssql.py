"""Tables of one database of SQL Server: that which `WINDLASS_TEST_MSSQL` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytds

from windlass.connections import Address
from windlass.plan.model import Incremental, Source
from windlass.testing import Copier, Kit, Row, source_of

_TABLE = (
    "([id] bigint, [name] nvarchar(max), [amount] decimal(12,2), [ok] bit, [day] date, [at] datetime2(6))"
)


class MssqlKit(Kit):
    connector = "mssql"
    fixtures = ("mssql",)

    def __init__(self, copier: Copier, mssql: Address) -> None:
        super().__init__(copier)
        self._connection: Any = pytds.connect(
            dsn=mssql.host,
            port=mssql.port or 1433,
            user=mssql.user,
            password=mssql.password,
            database=mssql.database,
            cafile=mssql.options.get("ca"),
            validate_host=mssql.options.get("verify_host") != "no",
            autocommit=True,
        )
        self._made: list[str] = []
        copier.addresses["mssql"] = mssql

    def source(self, rows: Sequence[Row]) -> Source:
        name = f"windlass_test_{id(self)}_{len(self._made)}"
        self._run(f"CREATE TABLE [{name}] {_TABLE}", *(_insert(name, row) for row in rows))
        self._made.append(name)
        return source_of(connection="mssql", table=name)

    def add(self, source: Source, row: Row) -> None:
        self._run(_insert(str(source.table), row))

    def incremental(self, cursor: str) -> Incremental:
        return Incremental(cursor=cursor, lookback=1 if cursor in ("id", "idd", "amount") else "1s")

    def close(self) -> None:
        self._run(*(f"DROP TABLE [{name}]" for name in self._made))
        self._connection.close()

    def _run(self, *statements: str) -> None:
        for statement in statements:
            self._connection.cursor().execute(statement)


def _insert(table: str, row: Row) -> str:
    return f"INSERT INTO [{table}] VALUES ({', '.join(map(_literal, row))})"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return "NULL" if value is None else "N'" + str(value).replace("'", "''") + "'"

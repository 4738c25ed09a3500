"""Tables of one user of Oracle: of the one that `WINDLASS_TEST_ORACLE` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import oracledb

from windlass.connections import Address
from windlass.plan.model import Incremental, Source
from windlass.testing import Copier, Kit, Row, source_of

_TABLE = '("id" NUMBER(18), "name" VARCHAR2(100), "amount" NUMBER(12,2), "ok" NUMBER(1), "day" DATE, "at" TIMESTAMP)'


class OracleKit(Kit):
    connector = "oracle"
    fixtures = ("oracle",)

    def __init__(self, copier: Copier, oracle: Address) -> None:
        super().__init__(copier)
        self._connection: Any = oracledb.connect(
            host=oracle.host,
            port=oracle.port or 1521,
            service_name=oracle.database,
            user=oracle.user,
            password=oracle.password,
            protocol="tcp" if oracle.options.get("encrypt") == "no" else "tcps",
        )
        self._connection.autocommit = True
        self._made: list[str] = []
        copier.addresses["oracle"] = oracle

    def source(self, rows: Sequence[Row]) -> Source:
        name = f"windlass_test_{id(self)}_{len(self._made)}"
        self._run(f'CREATE TABLE "{name}" {_TABLE}')
        self._made.append(name)
        source = source_of(connection="oracle", table=f'"{name}"')
        for row in rows:
            self.add(source, row)
        return source

    def add(self, source: Source, row: Row) -> None:
        values = [
            None if value is None else str(int(value) if isinstance(value, bool) else value) for value in row
        ]
        self._run(
            f"INSERT INTO {source.table} VALUES (:1, :2, TO_NUMBER(:3, '99999999990.00', 'NLS_NUMERIC_CHARACTERS=''.,'''), "
            ":4, TO_DATE(:5, 'YYYY-MM-DD'), TO_TIMESTAMP(:6, 'YYYY-MM-DD HH24:MI:SS.FF'))",
            values,
        )

    def incremental(self, cursor: str) -> Incremental:
        return Incremental(cursor=cursor, lookback=1 if cursor in ("id", "idd", "amount") else "1s")

    def close(self) -> None:
        for name in self._made:
            self._run(f'DROP TABLE "{name}" PURGE')
        self._connection.close()

    def _run(self, statement: str, values: Sequence[Any] = ()) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)

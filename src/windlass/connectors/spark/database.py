"""Spark SQL, for `sql` and `check` tasks. Spark has no transactions: each statement counts by itself."""

from __future__ import annotations

from typing import Any

from windlass.connections import Address
from windlass.connectors.database import SqlResult
from windlass.connectors.spark.session import open_session, session_errors
from windlass.connectors.spark.statements import statements
from windlass.errors import FatalError

__all__ = ["SparkDatabase"]

_SHOWN = 1_000  # rows of the last statement: those of a query are looked at, not moved


class SparkDatabase:
    """A session. Implements `Database` and `OwnDialect`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._session = open_session(address)

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        parts = statements(script)
        if transaction and len(parts) > 1:
            raise FatalError(
                f"Spark has no transactions, and these are {len(parts)} statements",
                hint="with `transaction: false` they count one by one; or make each a task of its own",
            )
        result = SqlResult()
        for statement in parts:
            result = self.query(statement, _SHOWN)
        return result

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        with session_errors(self._address):
            frame: Any = self._session.sql(sql.rstrip().rstrip(";"))
            table = (frame if limit is None else frame.limit(limit)).toArrow()
        columns = [column.to_pylist() for column in table.columns]
        return SqlResult(tuple(table.column_names), tuple(zip(*columns, strict=True)))

    def tables(self) -> list[str]:
        with session_errors(self._address):
            return sorted(row["tableName"] for row in self._session.sql("SHOW TABLES").collect())

    def identifier(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def literal(self, value: object) -> str:
        if isinstance(value, str):
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        if value is None or isinstance(value, bool):
            return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
        return repr(value) if isinstance(value, int | float) else self.literal(str(value))

    def close(self) -> None:
        self._session.stop()

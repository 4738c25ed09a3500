"""SQL on MySQL and MariaDB, for `sql` and `check` tasks and for init files."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from windlass.connections import Address
from windlass.connectors.database import SqlResult
from windlass.connectors.mysql.catalog import no_table, table_names
from windlass.connectors.mysql.names import quoted, text
from windlass.connectors.mysql.session import Session
from windlass.connectors.mysql.statements import statements
from windlass.connectors.scratch import literal
from windlass.errors import Code, FatalError, WindlassError

__all__ = ["MysqlDatabase"]


class MysqlDatabase:
    """A connection. Implements `Database` and `OwnDialect`.

    Statements that define things (CREATE, ALTER, DROP, …) end a transaction by themselves: the server's own rule.
    """

    def __init__(self, address: Address) -> None:
        self._session = Session(address, as_configured=True)

    @property
    def name(self) -> str:
        """The database that its address names."""
        return self._session.database

    def identifier(self, name: str) -> str:
        return quoted(name)

    def literal(self, value: object) -> str:
        return text(value) if isinstance(value, str) else literal(value)

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        changed = None
        if transaction:
            self._session.execute("BEGIN")
        for begin, statement in statements(script):
            try:
                changed = self._session.execute(statement)
            except WindlassError as exc:
                with suppress(WindlassError):
                    self._session.execute("ROLLBACK")
                raise self._placed(exc, script, begin) from exc
        if transaction:
            self._session.execute("COMMIT")
        return SqlResult(changed=changed)

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        if limit is not None:
            self._session.execute(f"SET sql_select_limit = {limit}")
        try:
            names, rows = self._session.run(self._queried(sql.rstrip().rstrip(";")))
        except FatalError as exc:
            raise self._placed(exc, sql, 0) from exc
        finally:
            if limit is not None:
                self._session.execute("SET sql_select_limit = DEFAULT")
        return SqlResult(names, rows[:limit])  # a LIMIT of its own counts instead

    async def _queried(self, sql: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        cursor = self._session.connection.cursor()
        await cursor.execute(sql)
        return tuple(column[0] for column in cursor.description or ()), tuple(await cursor.fetchall())

    def tables(self) -> list[str]:
        return table_names(self._session, self._session.database)

    def close(self) -> None:
        self._session.close()

    def _placed(self, error: WindlassError, script: str, begin: int) -> WindlassError:
        """The error with the line at which its statement begins, and near names for a missing table."""
        if not isinstance(error, FatalError):
            return error
        hint = error.hint
        if error.code is Code.NO_TABLE:
            hint = no_table(self._session, error.message) or hint
        line = script.count("\n", 0, begin) + 1
        first = script[begin:].split("\n", 1)[0].strip()
        return FatalError(f"line {line}: {error.message}: {first}", hint=hint, code=error.code)

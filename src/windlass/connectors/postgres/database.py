"""SQL on Postgres, for `sql` and `check` tasks and for init files."""

from __future__ import annotations

from windlass.connections import Address
from windlass.connectors.database import SqlResult
from windlass.connectors.postgres.catalog import no_table, table_names
from windlass.connectors.postgres.session import Session
from windlass.connectors.postgres.statements import statements
from windlass.errors import Code, FatalError

__all__ = ["PostgresDatabase"]


class PostgresDatabase:
    """A connection. Implements `Database`."""

    def __init__(self, address: Address) -> None:
        self._session = Session(address, as_configured=True)

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        status = ""
        parts = list(statements(script))
        if transaction and parts:  # the server itself takes a script as one transaction
            parts = [(0, script)]
        for begin, statement in parts:
            try:
                status = self._session.execute(statement)
            except FatalError as exc:
                self._roll_back()
                raise self._placed(exc, script, begin) from exc
        _, _, number = status.rpartition(" ")
        return SqlResult(changed=int(number) if number.isdigit() else None)

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        try:
            rows = self._session.fetch(
                f"SELECT * FROM ({sql.rstrip().rstrip(';')}\n) AS q LIMIT {limit}" if limit else sql
            )
        except FatalError as exc:
            raise self._placed(exc, sql) from exc
        names = tuple(rows[0].keys()) if rows else ()
        return SqlResult(names, tuple(tuple(row) for row in rows))

    def tables(self) -> list[str]:
        return table_names(self._session)

    def close(self) -> None:
        self._session.close()

    def _roll_back(self) -> None:
        if self._session.connection.is_in_transaction():
            self._session.execute("ROLLBACK")

    def _placed(self, error: FatalError, script: str, begin: int = 0) -> FatalError:
        """The error with the line of the script that it is about, and near names for a missing table."""
        cause = error.__cause__
        hint = no_table(self._session, error).hint if error.code is Code.NO_TABLE else error.hint
        position = getattr(cause, "position", None)
        if position is None:
            return FatalError(error.message, hint=hint, code=error.code)
        line = script.count("\n", 0, begin + int(position) - 1) + 1
        text = script.splitlines()[line - 1].strip()
        return FatalError(f"line {line}: {error.message}: {text}", hint=hint, code=error.code)

"""SQL on SQL Server, for `sql` and `check` tasks and for `windlass query`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from windlass.connections import Address
from windlass.connectors.database import SqlResult
from windlass.connectors.mssql.names import quoted, text
from windlass.connectors.mssql.session import Session
from windlass.connectors.mssql.tables import table_names
from windlass.connectors.scratch import literal
from windlass.errors import Code, FatalError, WindlassError, did_you_mean

__all__ = ["MssqlDatabase", "batches"]

_GO = re.compile(r"^[ \t]*GO[ \t]*;?[ \t]*(?:--.*)?$", re.IGNORECASE | re.MULTILINE)


class MssqlDatabase:
    """A connection. Implements `Database` and `OwnDialect`."""

    def __init__(self, address: Address) -> None:
        self._session = Session(address)

    def identifier(self, name: str) -> str:
        return quoted(name)

    def literal(self, value: object) -> str:
        if isinstance(value, bool):
            return str(int(value))
        return text(value) if isinstance(value, str) else literal(value)

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        changed: int | None = None
        if transaction:
            self._run("SET XACT_ABORT ON; BEGIN TRANSACTION")
        for line, batch in batches(script):
            try:
                changed = self._run(batch)
            except WindlassError as exc:
                with suppress(WindlassError):
                    self._run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
                raise self._placed(exc, line) from exc
        if transaction:
            self._run("IF @@TRANCOUNT > 0 COMMIT TRANSACTION")
        return SqlResult(changed=changed)

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        try:
            with self._session.errors():
                cursor = self._session.executed(sql)
                names = tuple(str(column[0]) for column in cursor.description or ())
                rows = (cursor.fetchall() if limit is None else cursor.fetchmany(limit)) if names else []
                cursor.cancel()
        except FatalError as exc:
            raise self._placed(exc, 1) from exc
        return SqlResult(names, tuple(map(tuple, rows)))

    def tables(self) -> list[str]:
        return table_names(self._session)

    def close(self) -> None:
        self._session.close()

    def _run(self, batch: str) -> int | None:
        """Run statements to the end of the last. Returns how many rows that changed."""
        with self._session.errors():
            cursor = self._session.executed(batch)
            changed: Any = cursor.rowcount
            while cursor.nextset():
                changed = cursor.rowcount
        return None if changed is None or changed < 0 else int(changed)

    def _placed(self, error: WindlassError, line: int) -> WindlassError:
        """The error with the line of the script, and near names for a missing table."""
        if not isinstance(error, FatalError):
            return error
        inner = getattr(getattr(error.__cause__, "line", None), "real", 0)
        hint = error.hint
        missing = re.search(r"'([^']+)'", error.message)
        if error.code is Code.NO_TABLE and missing is not None:
            hint = did_you_mean(missing[1], self.tables()) or hint
        where = f"line {line + max(inner - 1, 0)}: "
        return FatalError(where + error.message, hint=hint, code=error.code)


def batches(script: str) -> Iterator[tuple[int, str]]:
    """What stands between lines of GO, as Microsoft's own tools take it, each with the number of its first line.

    >>> list(batches("SELECT 1\\nGO\\nSELECT 2"))
    [(1, 'SELECT 1\\n'), (3, 'SELECT 2')]
    """
    begin = 0
    for end, after in [*((found.start(), found.end()) for found in _GO.finditer(script)), (len(script),) * 2]:
        batch = script[begin:end].lstrip()
        if batch:
            yield script.count("\n", 0, end - len(batch)) + 1, batch
        begin = after

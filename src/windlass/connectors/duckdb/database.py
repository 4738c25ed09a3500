"""SQL on a DuckDB file, or on an in-memory DuckDB over the files of a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from windlass.connections import Address
from windlass.connectors.database import SqlResult
from windlass.connectors.scratch import duckdb_errors
from windlass.errors import Code, FatalError, RetryableError, extra

__all__ = ["DuckdbDatabase", "open_file"]


class DuckdbDatabase:
    """A connection. Implements `Database`."""

    def __init__(self, address: Address, *, search: str | None = None) -> None:
        self._connection = open_file(address.database)
        self._connection.execute("SET enable_progress_bar = false")
        if search is not None:
            self._connection.execute("SET file_search_path = ?", [search])

    @classmethod
    def over(cls, connection: Any) -> DuckdbDatabase:
        """One that uses a connection which somebody else closes."""
        database = cls.__new__(cls)
        database._connection = connection
        return database

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        with duckdb_errors():
            if transaction:
                self._connection.execute("BEGIN")
            try:
                result = self._connection.execute(script)
                rows = result.fetchall() if result else []  # None: a script without a statement
                names = [column[0] for column in result.description or ()] if result else []
                if transaction:
                    self._connection.execute("COMMIT")
            except BaseException:
                if transaction:
                    self._connection.execute("ROLLBACK")
                raise
        if names == ["Count"] and rows:
            return SqlResult(changed=int(rows[0][0]))
        return SqlResult(tuple(names), tuple(rows))

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        with duckdb_errors():
            result = self._connection.execute(sql)
            rows = result.fetchall() if limit is None else result.fetchmany(limit)
            return SqlResult(tuple(column[0] for column in result.description or ()), tuple(rows))

    def tables(self) -> list[str]:
        rows = self.query(
            "SELECT table_name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views() WHERE NOT internal"
        )
        return sorted(name for (name,) in rows.rows if not name.startswith("_windlass"))

    def close(self) -> None:
        self._connection.close()


def open_file(database: str) -> Any:
    """Open a DuckDB file; it is created when it is missing. Raises FatalError when it is in use."""
    with extra("duckdb connections", "files"):
        import duckdb
    file = Path(database)
    if database != ":memory:" and not file.parent.is_dir():
        raise FatalError(f"there is no folder {file.parent} for the DuckDB file")
    with _nothing_left_of(file), duckdb_errors():
        connection = duckdb.connect(database)
        connection.execute("SET TimeZone = 'UTC'")
        return connection


@contextmanager
def _nothing_left_of(file: Path) -> Iterator[None]:
    """Remove a file that could not be made whole: nobody could open it again."""
    was_there = file.exists()
    try:
        yield
    except RetryableError as exc:
        if exc.code is Code.DISK_FULL and not was_there:
            file.unlink(missing_ok=True)
        raise

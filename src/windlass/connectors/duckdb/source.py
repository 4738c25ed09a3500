"""A DuckDB file as the source of a copy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource, name_of
from windlass.connectors.protocol import Column, Interval
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.connectors.typed import TypedSource
from windlass.errors import FatalError, did_you_mean

__all__ = ["DuckdbSource"]


class DuckdbSource(TypedSource):
    """A table or query. Implements `Source`."""

    rereadable = True
    filters_interval = True

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        self.name = name_of(end)
        self.cursor: str | None = None
        self._options, self._file = end.options, Path(end.address.database)
        self._conditions: list[str] = []
        if not self._file.is_file():
            raise FatalError(f"there is no DuckDB file {self._file}", hint=f"see {end.address.origin}")

    def close(self) -> None:
        return

    def occupied(self) -> Iterable[str]:
        return (str(self._file.resolve()),)

    def fingerprint(self) -> dict[str, object]:
        return {
            "type": "duckdb",
            "file": str(self._file.absolute()),
            "table": self._options.table,
            "query": self._options.query,
        }

    def advance(self, cursor: str, last: str | None, scratch: Scratch | None) -> None:
        assert scratch is not None
        column = self._require(scratch, cursor)
        name = identifier(column.name)
        # a DuckDB file has one writer at a time, so whatever is visible is settled
        highest = scratch.value(f"SELECT CAST(max({name}) AS VARCHAR) FROM {self.relation(scratch)}")
        self.cursor = highest or last
        if last is not None:
            self._conditions.append(f"{name} > CAST({literal(last)} AS {column.type})")

    def slice(self, column: str, interval: Interval) -> None:
        name = identifier(column)
        start, end = (literal(moment.isoformat()) for moment in interval)
        self._conditions.append(
            f"{name} >= CAST({start} AS TIMESTAMPTZ) AND {name} < CAST({end} AS TIMESTAMPTZ)"
        )

    def columns(self, scratch: Scratch, *, infer: bool) -> list[Column]:
        return scratch.describe(f"SELECT * FROM {self.relation(scratch)}")

    def relation(self, scratch: Scratch) -> str:
        database = scratch.attach(self._file, writable=False)
        if self._options.table is not None:
            self._require_table(scratch, database)
            base = f"{database}.{_qualified(self._options.table)}"
        else:
            scratch.rows(f"SET search_path = '{database},memory'")
            base = f"({str(self._options.query).rstrip().rstrip(';')}\n)"
        where = " AND ".join(self._conditions)
        return f"(SELECT * FROM {base} WHERE {where})" if where else base

    def _require(self, scratch: Scratch, name: str) -> Column:
        columns = {column.name: column for column in self.columns(scratch, infer=False)}
        if name not in columns:
            raise FatalError(f"{self.name} has no column {name!r}", hint=did_you_mean(name, columns))
        return columns[name]

    def _require_table(self, scratch: Scratch, database: str) -> None:
        names = [row[0] for row in scratch.rows(_TABLES, [database])]
        table = str(self._options.table).replace('"', "").removeprefix("main.")
        if table not in names:
            hint = did_you_mean(table, names) or "the database has no tables"
            raise FatalError(f"{self.name}: there is no table {self._options.table!r}", hint=hint)


def _qualified(table: str) -> str:
    return ".".join(identifier(part.strip('"')) for part in table.split(".", 1))


_TABLES = """
SELECT CASE schema_name WHEN 'main' THEN name ELSE schema_name || '.' || name END FROM (
    SELECT database_name, schema_name, table_name AS name FROM duckdb_tables()
    UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views()
) WHERE database_name = $1 AND name NOT LIKE '\\_windlass%' ESCAPE '\\'
"""

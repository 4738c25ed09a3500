"""A DuckDB file as the source of a copy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from windlass.connectors.duckdb.connector import CONNECTOR
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource, name_of
from windlass.connectors.relations import only_new
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch, identifier, literal
from windlass.connectors.source import BaseSource, IntervalOf, Reading, Relation
from windlass.errors import Code, FatalError, did_you_mean

__all__ = ["DuckdbSource"]


class DuckdbSource(BaseSource):
    """A table or query. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        self.name, self.options = name_of(end), end.options
        self.file = Path(end.address.database)
        if not self.file.is_file():
            hint = f"see {end.address.origin}"
            raise FatalError(f"there is no DuckDB file {self.file}", hint=hint, code=Code.NO_FILE)

    def occupied(self) -> Iterable[str]:
        return (str(self.file.resolve()),)

    def fingerprint(self) -> dict[str, object]:
        return {
            "type": CONNECTOR.type,
            "file": str(self.file.absolute()),
            "table": self.options.table,
            "query": self.options.query,
        }

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return DuckdbRelation(self, reading, scratch)


class DuckdbRelation(Relation):
    """The rows of one reading, in the file that is attached to the scratch database."""

    rereadable = True
    has_interval = has_since = True

    def __init__(self, source: DuckdbSource, reading: Reading, scratch: Scratch) -> None:
        self.name, self._options, self._scratch = source.name, source.options, scratch
        self._base = self._attached(source.file)
        self._conditions: list[str] = []
        if reading.interval is not None:
            self._conditions.append(_within(reading.interval))
        self._columns = scratch.describe(f"SELECT * FROM {self.sql()}")
        # a DuckDB file has one writer at a time, so whatever is visible is settled
        condition, self.mark = only_new(self.name, self.sql(), self._columns, reading, scratch)
        if condition is not None:
            self._conditions.append(condition)

    def columns(self) -> list[Column]:
        return self._columns

    def sql(self) -> str:
        where = " AND ".join(self._conditions)
        return f"(SELECT * FROM {self._base} WHERE {where})" if where else self._base

    def _attached(self, file: Path) -> str:
        """What stands after FROM for all rows."""
        database = self._scratch.attach(file, writable=False)
        if self._options.table is not None:
            self._require_table(database, self._options.table)
            return f"{database}.{_qualified(self._options.table)}"
        self._scratch.rows(f"SET search_path = '{database},memory'")
        return f"({str(self._options.query).rstrip().rstrip(';')}\n)"

    def _require_table(self, database: str, written: str) -> None:
        names = [row[0] for row in self._scratch.rows(_TABLES, [database])]
        table = written.replace('"', "").removeprefix("main.")
        if table not in names:
            hint = did_you_mean(table, names) or "the database has no tables"
            raise FatalError(f"{self.name}: there is no table {written!r}", hint=hint, code=Code.NO_TABLE)


def _within(wanted: IntervalOf) -> str:
    name = identifier(wanted.column)
    start, end = (literal(moment.isoformat()) for moment in wanted.interval)
    return f"{name} >= CAST({start} AS TIMESTAMPTZ) AND {name} < CAST({end} AS TIMESTAMPTZ)"


def _qualified(table: str) -> str:
    return ".".join(identifier(part.strip('"')) for part in table.split(".", 1))


_TABLES = """
SELECT CASE schema_name WHEN 'main' THEN name ELSE schema_name || '.' || name END FROM (
    SELECT database_name, schema_name, table_name AS name FROM duckdb_tables()
    UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views()
) WHERE database_name = $1 AND name NOT LIKE '\\_windlass%' ESCAPE '\\'
"""

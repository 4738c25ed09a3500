"""MySQL and MariaDB as the source of a copy: a table or a query, read in one snapshot as the server sends the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from windlass.connectors.cursors import find_new
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mysql.catalog import Table, find_table, table_names
from windlass.connectors.mysql.connector import CONNECTOR
from windlass.connectors.mysql.names import qualified, quoted, split_name
from windlass.connectors.mysql.options import Source
from windlass.connectors.mysql.reading.columns import Selected, require_known, selected
from windlass.connectors.mysql.reading.cursor import MysqlCursor
from windlass.connectors.mysql.reading.parts import condition, split
from windlass.connectors.mysql.session import Session
from windlass.connectors.options import name_of
from windlass.connectors.relations import StreamRelation
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import IntervalOf, Part, Reading, Relation, Since
from windlass.connectors.sql.late_rows import require_lookback
from windlass.connectors.sql.server_source import ServerSource
from windlass.errors import Code, FatalError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MysqlSource"]

_BATCH = 20_000
_ROWS = "`windlass_rows`"
_SNAPSHOT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)


class MysqlSource(ServerSource):
    """A table or query. Implements `Source` and `Splittable`."""

    type = CONNECTOR.type
    options: Source
    session: Session

    def __init__(self, end: ConnectedEnd[Source]) -> None:
        self.name, self.options = name_of(end), end.options
        self.session = Session(end.address)
        try:
            self.table = self._found() if end.options.table is not None else None
            for statement in _SNAPSHOT:
                self.session.execute(statement)
        except BaseException:
            self.session.close()
            raise

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return MysqlRelation(self, reading, scratch)

    def split(self, by: str, parts: int) -> list[Part]:
        rows = self.rows(None)
        return split(self.session, rows, self.selected(rows), by, parts)

    def selected(self, rows: str) -> list[Selected]:
        """The columns of what stands after FROM."""
        fields = self.session.fields(f"SELECT * FROM {rows} LIMIT 0")
        # of a query, MariaDB does not tell JSON from text
        json = {column.name for column in self.table.columns if column.is_json} if self.table else set()
        zero_is_null = self.options.zero_dates == "null"
        return [
            selected(field, is_json=field.name in json, null_for_zero_dates=zero_is_null) for field in fields
        ]

    def rows(self, named: frozenset[str] | None) -> str:
        """What to write after FROM. An invisible column is read where it is named."""
        if self.table is None:
            return f"({str(self.options.query).rstrip().rstrip(';')}\n) AS {_ROWS}"
        hidden = [column.name for column in self.table.columns if column.invisible]
        asked = "".join(f", {quoted(name)}" for name in hidden if named is not None and name in named)
        table = qualified(self.table.schema, self.table.name)
        return (
            f"(SELECT {quoted(self.table.name)}.*{asked} FROM {table}) AS {_ROWS}"
            if asked
            else f"{table} AS {_ROWS}"
        )

    def _found(self) -> Table:
        schema, name = split_name(str(self.options.table), self.session.database)
        table = find_table(self.session, schema, name)
        if table is None:
            hint = did_you_mean(name, table_names(self.session, schema)) or "the database has no tables"
            raise FatalError(f"{self.name}: there is no table {name!r}", hint=hint, code=Code.NO_TABLE)
        return table


class MysqlRelation(StreamRelation):
    """The rows of one reading."""

    has_since = True

    def __init__(self, source: MysqlSource, reading: Reading, scratch: Scratch) -> None:
        super().__init__(source.name, scratch)
        self._source, self._session = source, source.session
        self._rows, self._conditions = source.rows(reading.named), list[str]()
        self._selected = source.selected(self._rows)
        if reading.part is not None and (within := condition(self._selected, reading.part)) is not None:
            self._conditions.append(within)
        named = reading.named
        require_known(self._selected, self.name, lambda column: named is None or column in named)
        if named is not None:
            self._selected = [
                each for each in self._selected if each.column.name in named or not each.is_geometry
            ]
        if reading.interval is not None:
            self._within(reading.interval)
        if reading.since is not None:
            self._advance(reading.since)
        self._selected = self._with_booleans(reading)

    def columns(self) -> list[Column]:
        return [each.column for each in self._selected]

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow as pa

        schema = pa.schema([(each.column.name, each.arrow()) for each in self._selected])
        return schema, self._batches(schema)

    # --- what is read ---

    def _require(self, column: str) -> Selected:
        found = next((each for each in self._selected if each.column.name == column), None)
        if found is None:
            hint = did_you_mean(column, [each.column.name for each in self._selected])
            raise FatalError(f"{self.name} has no column {column!r}", hint=hint, code=Code.NO_COLUMN)
        return found

    def _within(self, wanted: IntervalOf) -> None:
        self.has_interval = self._require(wanted.column).has_dates  # else all rows come, and are looked at
        if self.has_interval:
            start, end = (moment.strftime("%Y-%m-%d %H:%M:%S.%f") for moment in wanted.interval)
            column = quoted(wanted.column)
            self._conditions += [f"{column} >= '{start}'", f"{column} < '{end}'"]

    def _advance(self, since: Since) -> None:
        table = self._source.table
        if table is not None and table.kind != "VIEW" and table.engine != "InnoDB":
            hint = "only InnoDB can; read all of it, or convert the table"
            message = (
                f"{self.name}: the engine {table.engine} has no snapshots, so no cursor can tell what is new"
            )
            raise FatalError(message, hint=hint, code=Code.CURSOR)
        cursor = self._require(require_lookback(since, self.name, "MySQL"))
        sql = MysqlCursor(self._session, self._selected, cursor)
        newer, self.mark = find_new(sql, self._from(), since, self.name)
        if newer is not None:
            self._conditions.append(newer)

    def _from(self) -> str:
        where = " AND ".join(self._conditions)
        return f"(SELECT * FROM {self._rows} WHERE {where}) AS {_ROWS}" if where else self._rows

    def _with_booleans(self, reading: Reading) -> list[Selected]:
        """The columns, with TINYINT(1) as BOOLEAN where all there is in the table or query is 0 or 1.

        A destination that has numbers or booleans takes either.
        """
        typed = {column.name for column in reading.target or () if column.type != "VARCHAR"}
        asked = [each for each in self._selected if each.may_be_boolean and each.column.name not in typed]
        if not asked:
            return self._selected
        tests = ", ".join(f"MAX({quoted(each.column.name)} NOT IN (0, 1))" for each in asked)
        (found,) = self._session.rows(f"SELECT {tests} FROM {self._rows}")
        booleans = {each.column.name for each, other in zip(asked, found, strict=True) if not other}
        return [
            replace(each, column=replace(each.column, type="BOOLEAN"))
            if each.column.name in booleans
            else each
            for each in self._selected
        ]

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        wanted = ", ".join(each.sql for each in self._selected)
        where = " AND ".join(self._conditions)
        sql = f"SELECT {wanted} FROM {self._rows}" + (f" WHERE {where}" if where else "")
        for rows in self._session.batches(sql, _BATCH):
            columns = zip(*rows, strict=True)
            arrays = [each.array(values) for each, values in zip(self._selected, columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

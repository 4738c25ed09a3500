"""SQL Server as the source of a copy: a table or a query, read by one SELECT as the server sends the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from windlass import logs
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.mssql.columns import array, selected
from windlass.connectors.mssql.connector import CONNECTOR
from windlass.connectors.mssql.errors import translated_number
from windlass.connectors.mssql.names import hoisted, qualified, text
from windlass.connectors.mssql.session import Session
from windlass.connectors.mssql.tables import table_names
from windlass.connectors.options import TableSource, name_of
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import Reading, Relation
from windlass.connectors.sql.selecting import (
    Bound,
    Edge,
    Selected,
    SelectRelation,
    as_condition,
    require_distinct,
)
from windlass.connectors.sql.server_source import ServerSource
from windlass.errors import Code, FatalError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MssqlSource", "condition"]

_BATCH = 20_000
_ROWS = "[windlass_rows]"
_SNAPSHOT = """
SELECT snapshot_isolation_state, is_read_committed_snapshot_on FROM sys.databases WHERE name = DB_NAME()
"""


class MssqlSource(ServerSource):
    """A table or query. Implements `Source` and `Selectable`."""

    type = CONNECTOR.type
    server = "SQL Server"
    session: Session

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        self.name, self.options = name_of(end), end.options
        self._before, self._rows = self._from()
        self.session = Session(end.address)
        try:
            self._read_one_state()
            self.columns: Sequence[Selected] = self._described()
        except BaseException:
            self.session.close()
            raise

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return SelectRelation(self, reading, scratch)

    def batches(self, wanted: Sequence[Selected], bounds: Sequence[Bound]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = pa.schema([(each.column.name, each.arrow) for each in wanted])
        where = " AND ".join(map(condition, bounds))
        asked = ", ".join(each.sql for each in wanted)
        sql = f"{self._before}SELECT {asked} FROM {self._rows}{f' WHERE {where}' if where else ''}"
        for rows in self.session.batches(sql, _BATCH):
            columns = zip(*rows, strict=True)
            arrays = [array(each, values) for each, values in zip(wanted, columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _from(self) -> tuple[str, str]:
        """What stands in front of a SELECT, and after its FROM."""
        if self.options.table is not None:
            return "", f"{qualified(self.options.table)} AS {_ROWS}"
        before, query = hoisted(str(self.options.query))
        return before, f"({query}\n) AS {_ROWS}"

    def _read_one_state(self) -> None:
        """Have the SELECT see one state of the database; without row versions it would not, while others write."""
        found = self.session.rows(_SNAPSHOT)
        allows_snapshots, keeps_versions = found[0] if found else (0, False)
        if allows_snapshots == 1:
            self.session.executed("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
        elif not keeps_versions:
            hint = "ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON"
            logs.warning("rows_that_others_move_may_be_missed", source=self.name, hint=hint)

    def _described(self) -> list[Selected]:
        sql = f"{self._before}SELECT * FROM {self._rows}"
        found = self.session.rows(
            "SELECT name, system_type_name, error_number, error_message, user_type_name "
            f"FROM sys.dm_exec_describe_first_result_set({text(sql)}, NULL, 0) "
            "WHERE is_hidden = 0 OR error_number IS NOT NULL ORDER BY column_ordinal"
        )
        for *_, number, message, _user_type in found:
            if number is not None:
                raise self._refused(number, message)
        names = [name or "" for name, *_ in found]
        require_distinct(names, self.name)
        kinds = [kind or user_type or "" for _, kind, _, _, user_type in found]
        return [selected(name, kind) for name, kind in zip(names, kinds, strict=True)]

    def _refused(self, number: int, message: str) -> Exception:
        address, where = self.session.address, self.session.where
        table = self.options.table
        error = translated_number(number, message, address, f"SQL Server at {where}")
        if error.code is not Code.NO_TABLE or table is None:
            return error
        known = table_names(self.session)
        last = table.rpartition(".")[2].strip('[]"')
        hint = did_you_mean(last, known) or (
            None if known else "the database has no tables that the user may see"
        )
        return FatalError(f"{self.name}: there is no table {table!r}", hint=hint, code=Code.NO_TABLE)


def condition(bound: Bound) -> str:
    """A bound in Transact-SQL. The columns of it are of the server's own types."""
    from windlass.connectors.mssql.names import quoted

    column = quoted(bound.column.column.name)
    return as_condition(bound, column, _literal)


def _literal(value: Edge) -> str:
    """A moment is in UTC, as what has an offset is compared; what has none is taken for UTC."""
    if isinstance(value, datetime):
        return f"CAST('{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}' AS datetime2(6))"
    return f"{value:f}"

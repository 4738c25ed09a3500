"""Oracle as the source of a copy: a table or a query, in one transaction that only reads, as the server sends the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource, name_of
from windlass.connectors.oracle.columns import digits_of, narrowed, selected, stored
from windlass.connectors.oracle.connector import CONNECTOR
from windlass.connectors.oracle.names import parts_of, quoted, text
from windlass.connectors.oracle.session import Session
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

__all__ = ["OracleSource", "condition"]

_BATCH = 20_000


class OracleSource(ServerSource):
    """A table or query. Implements `Source` and `Selectable`."""

    type = CONNECTOR.type
    server = "Oracle"
    session: Session

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        self.name, self.options = name_of(end), end.options
        self._rows = self._from()
        self.session = Session(end.address)
        try:
            self.columns: Sequence[Selected] = self._described()
        except BaseException:
            self.session.close()
            raise

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return SelectRelation(self, reading, scratch)

    def batches(self, wanted: Sequence[Selected], bounds: Sequence[Bound]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = pa.schema([(each.column.name, each.arrow) for each in wanted])
        asked = ", ".join(each.sql for each in wanted)
        for batch in self.session.batches(f"SELECT {asked} FROM {self._where(bounds)}", _BATCH):
            arrays = [stored(array, each.arrow) for each, array in zip(wanted, batch.columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def narrowed(self, wanted: Sequence[Selected], bounds: Sequence[Bound]) -> list[Selected]:
        """A NUMBER without a precision gets the type that all its numbers have: the server looks at them once."""
        open_ = [each for each in wanted if each.column.carries == "number"]
        if not open_:
            return list(wanted)
        asked = ", ".join(sql for each in open_ for sql in digits_of(each))
        (found,) = self.session.rows(f"SELECT {asked} FROM {self._where(bounds)}")
        known = {each.column.name: narrowed(each, *found[2 * i : 2 * i + 2]) for i, each in enumerate(open_)}
        return [known.get(each.column.name, each) for each in wanted]

    def _from(self) -> str:
        if self.options.query is not None:
            return f"({self.options.query.rstrip().rstrip(';')}\n)"
        schema, table, link = parts_of(str(self.options.table))
        return f"{quoted(schema)}.{quoted(table)}{link}" if schema else f"{quoted(table)}{link}"

    def _where(self, bounds: Sequence[Bound]) -> str:
        where = " AND ".join(map(condition, bounds))
        return f"{self._rows} WHERE {where}" if where else self._rows

    def _described(self) -> list[Selected]:
        try:
            fields = self.session.fields(f"SELECT * FROM {self._rows} WHERE 1 = 0")
        except FatalError as exc:
            if exc.code is Code.NO_TABLE and self.options.table is not None:
                raise self._no_table(self.options.table) from exc
            raise
        require_distinct([field.name for field in fields], self.name)
        return [selected(field) for field in fields]

    def _no_table(self, name: str) -> FatalError:
        schema, table, _ = parts_of(name)
        whose = f"= {text(schema)}" if schema else "= SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')"
        sql = f"SELECT object_name FROM all_objects WHERE owner {whose} AND object_type IN ('TABLE', 'VIEW') ORDER BY 1"
        known = [found for (found,) in self.session.rows(sql)]
        hint = did_you_mean(table, known) or "there is none of that name which the user may read"
        return FatalError(f"{self.name}: there is no table {name!r}", hint=hint, code=Code.NO_TABLE)


def condition(bound: Bound) -> str:
    """A bound in Oracle's SQL, in the type of the column, so that an index serves."""
    column = quoted(bound.column.column.name)
    return as_condition(bound, column, lambda value: _literal(bound.column.column.native, value))


def _literal(native: str, value: Edge) -> str:
    if not isinstance(value, datetime):
        return f"{value:f}"
    plain = value.replace(tzinfo=None)
    if native == "DB_TYPE_DATE":  # of whole seconds: none is between a fraction and the second after it
        whole = plain.replace(microsecond=0) + timedelta(seconds=1 if plain.microsecond else 0)
        return f"TO_DATE('{whole.isoformat(' ')}', 'YYYY-MM-DD HH24:MI:SS')"
    zone = "" if native == "DB_TYPE_TIMESTAMP" else " +00:00"
    return f"TIMESTAMP '{plain.isoformat(' ', 'microseconds')}{zone}'"

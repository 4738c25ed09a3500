"""A table or query of a database with a driver of ADBC as the source of a copy: columns are what the driver says in Arrow.

Nothing is known of the database itself, so there is no snapshot but that of one SELECT, and no SQL that others have not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from windlass.connectors.adbc import options
from windlass.connectors.adbc.connector import CONNECTOR
from windlass.connectors.adbc.exact import Exact, exact
from windlass.connectors.adbc.session import Session
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import name_of
from windlass.connectors.relations import ArrowRelation
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.connectors.sql.selecting import Bound, Edge, Selected, as_condition, bounds_of, require_distinct
from windlass.options import read_options

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["AdbcSource", "condition"]

_ROWS = "windlass_rows"


class AdbcSource(BaseSource):
    """A table or query. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[options.Source]) -> None:
        self.name, self.options = name_of(end), end.options
        self._quote = read_options(options.Connection, end.address.settings).quote
        self.session = Session(end.address)

    def close(self) -> None:
        self.session.close()

    def fingerprint(self) -> dict[str, object]:
        address = self.session.address
        where = f"{address.host}:{address.port or ''}/{address.database}" if address.host else ""
        return {
            "type": CONNECTOR.type,
            "driver": self.session.driver,
            "server": where,
            "table": self.options.table,
            "query": self.options.query,
        }

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        bounds, has_interval = self._bounds(reading)
        schema, batches = self.session.select(self._sql(bounds))
        require_distinct(schema.names, self.name)
        relation = _AdbcRelation(self.name, exact(schema, self.name), batches, reading, scratch)
        relation.has_interval = has_interval
        return relation

    def _bounds(self, reading: Reading) -> tuple[list[Bound], bool]:
        if reading.interval is None and reading.since is None:
            return [], False
        schema, _ = self.session.select(f"SELECT * FROM {self._rows()} WHERE 1 = 0")
        columns = [_selected(field) for field in schema]
        return bounds_of(reading, columns, self.name, "the database")

    def _rows(self) -> str:
        if self.options.table is not None:
            return self.options.table
        return f"({self._query()}\n) AS {_ROWS}"

    def _query(self) -> str:
        return str(self.options.query).rstrip().rstrip(";")

    def _sql(self, bounds: Sequence[Bound]) -> str:
        if not bounds:  # as it stands: not every SELECT can be in another one
            return self._query() if self.options.table is None else f"SELECT * FROM {self._rows()}"
        where = " AND ".join(condition(bound, self._quote) for bound in bounds)
        return f"SELECT * FROM {self._rows()} WHERE {where}"


class _AdbcRelation(ArrowRelation):
    """The rows of one reading, with what Arrow or the scratch database would round as text."""

    def __init__(
        self, name: str, read: Exact, batches: Iterator[pa.RecordBatch], reading: Reading, scratch: Scratch
    ) -> None:
        super().__init__(name, read.schema, map(read.batch, batches), reading, scratch)
        self._carried = read.columns

    def columns(self) -> list[Column]:
        return [self._carried.get(column.name, column) for column in super().columns()]


def _selected(field: pa.Field) -> Selected:
    import pyarrow as pa

    kind = field.type
    is_number = pa.types.is_integer(kind) or pa.types.is_decimal(kind)
    return Selected(
        Column(field.name, "BIGINT" if is_number else "VARCHAR"),
        "",
        kind,
        is_time=pa.types.is_timestamp(kind) or pa.types.is_date(kind),
    )


def condition(bound: Bound, quote: str) -> str:
    """A bound in SQL that all databases have: `"at" >= TIMESTAMP '2024-01-01 00:00:00'`."""
    name = bound.column.column.name
    column = quote + name.replace(quote, quote * 2) + quote
    return as_condition(bound, column, _literal)


def _literal(value: Edge) -> str:
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}'"
    return f"{value:f}"

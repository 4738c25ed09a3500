"""A table or a query of BigQuery as the source of a copy.

A table is read by the Storage Read interface as it is at one moment, with only the columns and rows that are wanted. A view
or a query runs as a job, whose result is read the same way. What is new of a table is told in the scratch database
(`only_new`), from the rows that are not surely old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from windlass.connectors.bigquery.client import Connection
from windlass.connectors.bigquery.connector import CONNECTOR
from windlass.connectors.bigquery.credentials import is_emulator
from windlass.connectors.bigquery.fields import Field, fields_of
from windlass.connectors.bigquery.reading.conditions import conditions
from windlass.connectors.bigquery.reading.values import as_read, converted, read_schema
from windlass.connectors.bigquery.sql import TableName, names
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import TableSource, name_of
from windlass.connectors.relations import ArrowRelation
from windlass.connectors.rows import Column
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.errors import Code, FatalError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BigquerySource"]

_STORED = ("TABLE", "SNAPSHOT", None)  # kinds of tables that the Storage Read interface reads


class BigquerySource(BaseSource):
    """A table, a view or a query. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[TableSource]) -> None:
        self.name, self.options = name_of(end), end.options
        self.connection = Connection(end.address)
        self.table: TableName | None = None
        with self.connection.closed_on_error():
            if end.options.table is not None:
                self.table = self.connection.table_name(end.options.table)
                self._found: Any = self._required(self.table)

    def close(self) -> None:
        self.connection.close()

    def fingerprint(self) -> dict[str, object]:
        return {
            "type": CONNECTOR.type,
            "project": self.connection.project,
            "dataset": self.connection.dataset,
            "table": self.options.table,
            "query": self.options.query,
        }

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        fields = self._fields()
        wanted = [field for field in fields if reading.named is None or field.name in reading.named] or fields
        wanted = _with_cursor(wanted, fields, reading)
        where = " AND ".join(conditions(reading, fields))
        if self.table is not None and self._found.table_type in _STORED:
            batches: Any = _Stored(self.connection, self.table, wanted, where)
        else:
            rows = self.table.sql if self.table is not None else f"({self._query()}\n)"
            columns = names(field.name for field in wanted) if self.table is not None else "*"
            batches = _Result(
                self.connection, f"SELECT {columns} FROM {rows}{f' WHERE {where}' if where else ''}", wanted
            )
        return _BigqueryRelation(self.name, wanted, batches, reading, scratch)

    def _fields(self) -> list[Field]:
        """The columns; of a query, what BigQuery says of it without running it."""
        if self.table is not None:
            return fields_of(self._found.schema)
        return fields_of(self.connection.run(self._query(), dry=True).schema or ())

    def _query(self) -> str:
        return str(self.options.query).rstrip().rstrip(";")

    def _required(self, table: TableName) -> Any:
        found = self.connection.table(table)
        if found is None:
            known = self.connection.tables(table.dataset)
            hint = did_you_mean(table.table, known) or f"the dataset {table.dataset!r} has no tables"
            raise FatalError(
                f"{self.name}: there is no table {self.options.table!r}", hint=hint, code=Code.NO_TABLE
            )
        return found


def _with_cursor(wanted: list[Field], fields: Sequence[Field], reading: Reading) -> list[Field]:
    """The columns with those that tell which rows are wanted."""
    also = {
        reading.since.cursor if reading.since else None,
        reading.interval.column if reading.interval else None,
    }
    return [field for field in fields if field in wanted or field.name in also]


class _BigqueryRelation(ArrowRelation):
    """The rows of one reading."""

    def __init__(
        self, name: str, fields: Sequence[Field], batches: Any, reading: Reading, scratch: Scratch
    ) -> None:
        super().__init__(name, read_schema(fields), batches, reading, scratch)
        self._read = [as_read(field) for field in fields]

    def columns(self) -> list[Column]:
        found = {
            column.name: column for column in super().columns()
        }  # an incremental reading finds its mark there
        return [column if column.type == "VARCHAR" else found[column.name] for column in self._read]


class _Stored:
    """The batches of a table, at one moment, as often as they are asked for."""

    def __init__(self, connection: Connection, table: TableName, fields: Sequence[Field], where: str) -> None:
        self._connection, self._table, self._fields, self._where = connection, table, fields, where

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from google.cloud.bigquery_storage_v1 import types

        wanted = types.ReadSession(
            table=self._table.path,
            data_format=types.DataFormat.ARROW,
            read_options={
                "selected_fields": [field.name for field in self._fields],
                "row_restriction": self._where,
            },
        )
        reader = self._connection.reader
        with self._connection.errors():
            session = reader.create_read_session(
                parent=f"projects/{self._connection.project}", read_session=wanted, max_stream_count=1
            )
            if not session.streams:  # there are no rows
                return
            schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
            for answer in reader.read_rows(session.streams[0].name):
                data = pa.py_buffer(answer.arrow_record_batch.serialized_record_batch)
                yield converted(pa.ipc.read_record_batch(data, schema), self._fields)


class _Result:
    """The batches of the result of a query. It runs once for each time that they are asked for."""

    def __init__(self, connection: Connection, sql: str, fields: Sequence[Field]) -> None:
        self._connection, self._sql, self._fields = connection, sql, fields

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        job = self._connection.run(self._sql)
        # an emulator does not show results, which have no name, to the Storage Read interface
        reader = None if is_emulator(self._connection.address) else self._connection.reader
        with self._connection.errors():
            rows = job.result(retry=self._connection.retry)
            for batch in rows.to_arrow_iterable(bqstorage_client=reader, max_stream_count=1):
                yield converted(batch, self._fields)

"""The table in which the rows of a load wait until it is committed.

They arrive by the Storage Write interface, in a stream that is pending until it is committed as a whole. Each request says
at which row it begins, so that one which is sent again, because its answer was lost, is there once. Or BigQuery fetches them
itself, by a load job that is done as a whole, and again from the beginning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from windlass.connectors.bigquery.client import OURS, Connection
from windlass.connectors.bigquery.errors import PATIENCE
from windlass.connectors.bigquery.fields import Field
from windlass.connectors.bigquery.labels import labels
from windlass.connectors.bigquery.sql import TableName
from windlass.connectors.bigquery.writing.columns import as_text, waiting
from windlass.errors import Code, FatalError, RetryableError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NUMBER", "Stage"]

NUMBER = "__windlass_row"
"""The column of the stage that numbers the rows."""

_LIFE = timedelta(days=2)  # after which BigQuery itself removes one that a killed load has left
_MOST_BYTES = 8_000_000  # of a request; BigQuery takes 10 MB
_IN_FLIGHT = 4
_ANSWER_SECONDS = 120.0
_TRIES = 5


class Stage:
    """A new table beside the one of that name."""

    def __init__(self, connection: Connection, target: TableName, number: int) -> None:
        self._connection = connection
        self.table = target.beside(f"{OURS}_stage_{number}_{target.table}")
        self._fields: Sequence[Field] = ()

    def make(self, fields: Sequence[Field]) -> None:
        """Make it, for rows of these columns."""
        self._fields = fields
        schema = [Field(name=NUMBER, type="INT64").schema(), *(waiting(field).schema() for field in fields)]
        self._connection.make(self.table, schema, expires=datetime.now(UTC) + _LIFE)

    def drop(self) -> None:
        self._connection.drop(self.table)

    def fill(self, fields: Sequence[Field], addresses: Sequence[str]) -> int:
        """Make it, and have BigQuery read Parquet objects into it, all of them or none. Returns how many rows came."""
        from google.api_core.exceptions import Conflict
        from google.cloud.bigquery import LoadJobConfig

        self._fields = fields
        schema = [field.schema() for field in fields]
        self._connection.make(self.table, schema, expires=datetime.now(UTC) + _LIFE)
        config = LoadJobConfig(
            source_format="PARQUET",
            schema=schema,
            create_disposition="CREATE_NEVER",
            write_disposition="WRITE_TRUNCATE",
            labels=labels(),
        )
        client, name = self._connection.client, f"windlass_load_{uuid4()}"
        asked: dict[str, Any] = {"retry": self._connection.retry, "timeout": PATIENCE}
        job: Any
        with self._connection.errors():
            try:
                job = client.load_table_from_uri(
                    addresses, self.table.id, job_id=name, job_config=config, **asked
                )
            except Conflict:  # it was sent again, and had arrived the first time
                job = client.get_job(name, **asked)
            self._connection.await_job(job, lambda: job.result(retry=self._connection.retry))
        return int(job.output_rows or 0)

    def send(self, batches: Iterator[tuple[pa.RecordBatch, Sequence[int]]]) -> Iterator[tuple[int, int]]:
        """Bring rows, with their numbers, into it. Yields how many rows and bytes went out; they are there at the end."""
        from google.cloud.bigquery_storage_v1 import types

        writer = self._connection.writer
        with self._connection.errors():
            stream = writer.create_write_stream(
                parent=self.table.path,
                write_stream=types.WriteStream(type_=types.WriteStream.Type.PENDING),
            )
        sent = 0
        with _Sender(self._connection, stream.name) as sender:
            for batch, numbers in batches:
                for part in _parts(self._as_it_waits(batch, numbers)):
                    size = sender.send(part, sent)
                    sent += part.num_rows
                    yield part.num_rows, size
        self._commit(stream.name, sent)

    def _commit(self, stream: str, sent: int) -> None:
        from google.cloud.bigquery_storage_v1 import types

        writer = self._connection.writer
        with self._connection.errors():
            arrived = writer.finalize_write_stream(name=stream).row_count
            if arrived != sent:
                raise RetryableError(f"{sent} rows were sent to {self.table}, and {arrived} arrived")
            request = types.BatchCommitWriteStreamsRequest(parent=self.table.path, write_streams=[stream])
            answer = writer.batch_commit_write_streams(request)
        if answer.stream_errors:
            raise FatalError(f"{self.table}: {answer.stream_errors[0].error_message}")

    def _as_it_waits(self, batch: pa.RecordBatch, numbers: Sequence[int]) -> pa.RecordBatch:
        """The batch with its numbers, and as text what waits as such."""
        import pyarrow as pa

        arrays, names = [pa.array(numbers, pa.int64())], [NUMBER]
        for field in self._fields:
            values = batch.column(field.name)
            is_text = as_text(field) or field.type == "STRING"
            arrays.append(values.cast(pa.string()) if is_text else values.cast(_ARROW[field.type]()))
            names.append(field.name)
        return pa.RecordBatch.from_arrays(arrays, names)


def _arrow(kind: str, *arguments: Any) -> Any:
    def make() -> Any:
        import pyarrow as pa

        return getattr(pa, kind)(*arguments)

    return make


_ARROW = {
    "BOOL": _arrow("bool_"),
    "INT64": _arrow("int64"),
    "FLOAT64": _arrow("float64"),
    "BYTES": _arrow("binary"),
    "DATE": _arrow("date32"),
    "TIME": _arrow("time64", "us"),
    "DATETIME": _arrow("timestamp", "us"),
    "TIMESTAMP": _arrow("timestamp", "us", "UTC"),
    "NUMERIC": _arrow("decimal128", 38, 9),
}


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in parts that fit into a request."""
    import pyarrow as pa

    if pa.ipc.get_record_batch_size(batch) <= _MOST_BYTES:
        yield batch
        return
    if batch.num_rows == 1:
        raise FatalError("a row has more than 8 MB, which BigQuery's Storage Write interface does not take")
    half = batch.num_rows // 2
    for part in (batch.slice(0, half), batch.slice(half)):
        yield from _parts(
            pa.RecordBatch.from_arrays([pa.concat_arrays([c]) for c in part.columns], schema=part.schema)
        )


class _Sender:
    """Sends batches to one stream, some of them at the same time. Use as a context manager.

    When the connection is lost, what has not been answered is sent again.
    """

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection, self._name = connection, stream
        self._stream: Any = None
        self._schema: bytes = b""
        self._waiting: deque[tuple[Any, Any]] = deque()  # requests, and the futures of their answers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            while kind is None and self._waiting:
                self._take_answer()
        finally:
            self._close()

    def send(self, batch: pa.RecordBatch, offset: int) -> int:
        """Send a batch whose first row is the row of that number. Returns how many bytes it has."""
        from google.cloud.bigquery_storage_v1 import types

        self._schema = self._schema or batch.schema.serialize().to_pybytes()
        data = batch.serialize().to_pybytes()
        rows = types.AppendRowsRequest.ArrowData(rows=types.ArrowRecordBatch(serialized_record_batch=data))
        request = types.AppendRowsRequest(write_stream=self._name, offset=offset, arrow_rows=rows)
        while len(self._waiting) >= _IN_FLIGHT:
            self._take_answer()
        with self._connection.errors():
            self._waiting.append((request, self._opened().send(request)))
        return len(data)

    def _opened(self) -> Any:
        from google.cloud.bigquery_storage_v1 import types
        from google.cloud.bigquery_storage_v1.writer import AppendRowsStream

        if self._stream is None:
            template = types.AppendRowsRequest(write_stream=self._name)
            schema = types.ArrowSchema(serialized_schema=self._schema)
            template.arrow_rows = types.AppendRowsRequest.ArrowData(writer_schema=schema)
            self._stream = AppendRowsStream(self._connection.writer, template)
        return self._stream

    def _take_answer(self) -> None:
        """Wait for the answer to the first request that has none."""
        from google.api_core.exceptions import AlreadyExists, GoogleAPICallError, InvalidArgument, NotFound

        for attempt in range(1, _TRIES + 1):
            _, answer = self._waiting[0]
            try:
                answer.result(timeout=_ANSWER_SECONDS)
            except AlreadyExists:  # it was sent again, and had arrived the first time
                pass
            except (InvalidArgument, NotFound) as exc:
                with self._connection.errors():
                    raise self._row_errors(exc) or exc from exc
            except (GoogleAPICallError, TimeoutError, ConnectionError) as exc:
                if attempt == _TRIES:
                    message = f"lost the connection to BigQuery's Storage Write interface: {exc}"
                    raise RetryableError(message, code=Code.CONNECTION_LOST) from exc
                self._send_again()
                continue
            self._waiting.popleft()
            return

    def _row_errors(self, exc: Any) -> FatalError | None:
        errors = getattr(getattr(exc, "response", None), "row_errors", None) or ()
        shown = "".join(f"\n  row {each.index}: {each.message}" for each in list(errors)[:5])
        return (
            FatalError(f"BigQuery refuses {len(errors)} rows that fit its types:{shown}") if errors else None
        )

    def _send_again(self) -> None:
        self._close()
        stream = self._opened()
        self._waiting = deque((request, stream.send(request)) for request, _ in self._waiting)

    def _close(self) -> None:
        if self._stream is not None and self._stream.is_active:
            self._stream.close()
        self._stream = None

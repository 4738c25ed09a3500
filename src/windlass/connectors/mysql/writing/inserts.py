"""Rows as INSERT statements, of many rows each: as fast as LOAD DATA here, and the server refuses what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from windlass.connectors.mysql.errors import reason_of_row
from windlass.connectors.mysql.writing.engine import MysqlEngine
from windlass.connectors.rows import BadRow, Rows
from windlass.connectors.scratch import identifier
from windlass.connectors.sql.halving import insert_by_halves
from windlass.errors import FatalError, WindlassError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Inserts"]

T = TypeVar("T")

_STATEMENT = 1 << 20  # bytes, about, as far as the server takes so many


class Inserts:
    """Inserts the batches of a load into a table. `number` is the column that numbers the rows, if one does."""

    def __init__(
        self, engine: MysqlEngine, table: str, rows: Rows, longest: int, number: str | None = None
    ) -> None:
        self._engine, self._rows, self._number = engine, rows, number
        names = [*([number] if number else []), *(identifier(column.name) for column in rows.columns)]
        self._begin = f"INSERT INTO {table} ({', '.join(names)}) VALUES "
        self._longest, self._most = longest, min(_STATEMENT, longest // 2)

    def send(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Insert all rows. Yields each batch, and how many rows of it went in."""
        written = self._written()
        for batch, first, values in written if self._rows.quarantines else _one_ahead(written):
            pieces = _pieces(values, self._most)
            yield batch, sum(self._sent(batch, values, start, end, first) for start, end in pieces)

    def _written(self) -> Iterator[tuple[pa.RecordBatch, int, list[str]]]:
        """Each batch, the position of its first row, and its rows as SQL."""
        first = 0
        for batch in self._rows.batches():
            numbers = range(first, first + batch.num_rows) if self._number else None
            yield batch, first, _values(batch, numbers)
            first += batch.num_rows

    def _sent(self, batch: pa.RecordBatch, values: Sequence[str], start: int, end: int, first: int) -> int:
        def insert(a: int, b: int) -> int:
            return self._insert(values[a:b])

        def refused(i: int, error: WindlassError) -> int:
            self._rows.refuse(_bad_row(batch, i, error), first + i)
            return 0

        if not self._rows.quarantines:
            return insert(start, end)
        return insert_by_halves(start, end, insert, refused)

    def _insert(self, values: Sequence[str]) -> int:
        sql = self._begin + ", ".join(values)
        if len(sql) * 4 > self._longest and len(sql.encode()) >= self._longest:
            message = f"a row has {len(sql):,} characters, and the server takes statements of {self._longest:,} bytes"
            raise FatalError(message, hint="set max_allowed_packet of the server to more")
        self._engine.changed(sql)
        return len(values)


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, each made in a thread while the one before is used. None is being made once this is left."""
    with ThreadPoolExecutor(1, "rows") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _pieces(values: Sequence[str], most: int) -> Iterator[tuple[int, int]]:
    """Ranges of about so many characters, of one value at least."""
    start = size = 0
    for i, value in enumerate(values):
        if size and size + len(value) > most:
            yield start, i
            start, size = i, 0
        size += len(value)
    if start < len(values):
        yield start, len(values)


def _values(batch: pa.RecordBatch, numbers: range | None) -> list[str]:
    """Each row as it stands after VALUES."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [_literals(column) for column in batch.columns]
    if numbers is not None:
        columns.insert(0, pa.array(numbers, pa.int64()).cast(pa.string()))
    joined = pc.binary_join_element_wise(*columns, ", ") if len(columns) > 1 else columns[0]
    rows: list[str] = pc.binary_join_element_wise("(", joined, ")", "").to_pylist()
    return rows


def _literals(column: pa.Array) -> pa.Array:
    """The values of a column as SQL."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_boolean(kind):
        found = column.cast(pa.int8()).cast(pa.string())
    elif pa.types.is_floating(kind):  # as a double, which has all digits of a float
        text = column.cast(pa.float64()).cast(pa.string())
        double = pc.binary_join_element_wise(text, "e0", "")  # without an exponent it would be a decimal
        found = pc.if_else(pc.match_substring(text, "e"), text, double)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        found = pa.array(
            [None if value is None else f"X'{value.hex()}'" for value in column.to_pylist()], pa.string()
        )
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        found = column.cast(pa.string())
    else:
        if pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("us"))  # in UTC, as the session is
        text = pc.replace_substring(column.cast(pa.string()), "'", "''")
        found = pc.binary_join_element_wise("'", text, "'", "")
    return pc.fill_null(found, "NULL")


def _bad_row(batch: pa.RecordBatch, i: int, error: WindlassError) -> BadRow:
    """The row that the server refused. Raises any other error again."""
    reason = reason_of_row(error)
    if reason is None:
        raise error
    record = {
        name: _shown(column[i].as_py())
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return BadRow(reason, error.message, record=record)


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)

"""The stream of Postgres's binary COPY to Arrow record batches, whole columns at a time.

The format is the one of `encode.py`. Reading it has one difficulty more: where a row begins is only
known once the row before it has been read field by field, which is slow in Python. So the query is
made to send, as the first field of each row, the size of the whole row (`framed_query`). Rows are then
found by stepping over them, in many chunks at once, and numpy gathers the fields column by column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from windlass.connectors.postgres.wire.encode import EPOCH_DAYS, EPOCH_US, groups_of_equal, items
from windlass.connectors.postgres.wire.framing import HEADER, TRAILER
from windlass.errors import FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["WIDTHS", "Field", "decode", "empty_batch", "framed_query"]

Array: TypeAlias = "np.ndarray[Any, Any]"

_FRAME = 10  # int16 count of fields, int32 length of the first field, and its int32: the row's size


@dataclass(frozen=True)
class Field:
    """A column of the stream: its name, how it is read in SQL, and the kind of value that arrives.

    `kind` is a key of `WIDTHS`, or `text` or `bytea`, whose values are of any length.
    """

    name: str
    sql: str
    kind: str
    not_null: bool = False


WIDTHS = {"bool": 1, "int2": 2, "int4": 4, "int8": 8, "float4": 4, "float8": 8, "date": 4} | {
    "time": 8,
    "timestamp": 8,
    "timestamptz": 8,
}


def framed_query(fields: Sequence[Field], source: str) -> str:
    """A SELECT that sends each row's size in bytes in front of its fields. `source` follows FROM."""
    sizes = [str(_FRAME + sum(4 + WIDTHS.get(field.kind, 0) for field in fields))]
    for i, field in enumerate(fields):
        if field.kind not in WIDTHS:
            sizes.append(f"coalesce(octet_length(f{i}), 0)")
        elif not field.not_null:
            sizes.append(f"CASE WHEN f{i} IS NULL THEN -{WIDTHS[field.kind]} ELSE 0 END")
    read = ", ".join(f"{field.sql} AS f{i}" for i, field in enumerate(fields))
    sent = ", ".join(f"f{i}" for i in range(len(fields)))
    # OFFSET 0 keeps the planner from computing each expression twice, for the value and for its size
    return f"SELECT ({' + '.join(sizes)})::int4, {sent} FROM (SELECT {read} FROM {source} OFFSET 0) AS framed"


def decode(chunks: Sequence[bytes], fields: Sequence[Field]) -> pa.RecordBatch | None:
    """The rows of some chunks of the stream, each of which begins and ends with a row.

    (asyncpg hands on whole messages, and Postgres sends a row a message.) Raises FatalError when the
    stream broke off in the middle of a row.
    """
    data = b"".join(chunks)
    ends = np.cumsum([len(chunk) for chunk in chunks])
    begins = ends - [len(chunk) for chunk in chunks]
    if data.startswith(HEADER):
        begins[0] += len(HEADER)
    if data.endswith(TRAILER):
        ends[-1] -= len(TRAILER)
    rows = _row_begins(np.frombuffer(data, np.uint8), begins, ends)
    return _batch(np.frombuffer(data, np.uint8), rows, fields) if len(rows) else None


def empty_batch(fields: Sequence[Field]) -> pa.RecordBatch:
    """No rows, but the schema that all batches have."""
    return _batch(np.zeros(_FRAME, np.uint8), np.zeros(0, np.int64), fields)


def _row_begins(data: Array, begins: Array, ends: Array) -> Array:
    """Where each row begins. All chunks are walked at the same time, one row of each at a step."""
    sizes = items(data, 4)
    begun = begins < ends
    at, end = begins[begun], ends[begun]
    steps = []
    while len(at):
        steps.append(at)
        at = at + sizes[at + 6].view(">i4")
        if (at > end).any():
            raise FatalError("the COPY stream of the source ended in the middle of a row")
        if (at == end).any():
            more = at < end
            at, end = at[more], end[more]
    if not steps:
        return np.zeros(0, np.int64)
    return np.sort(np.concatenate(steps))


def _batch(data: Array, begins: Array, fields: Sequence[Field]) -> pa.RecordBatch:
    import pyarrow as pa

    at = begins + _FRAME
    arrays = []
    for field in fields:
        length = items(data, 4)[at].view(">i4").astype(np.int64)
        at = at + 4
        null = length < 0
        length[null] = 0
        column = _Column(data, at, length, null if null.any() else None, field.name)
        arrays.append(_DECODERS[field.kind](column))
        at = at + length
    return pa.RecordBatch.from_arrays(arrays, names=[field.name for field in fields])


@dataclass(frozen=True)
class _Column:
    """Where the values of one column are in the data: row i has `length[i]` bytes from `at[i]` on."""

    data: Array
    at: Array
    length: Array
    null: Array | None
    name: str

    def values(self, dtype: str) -> Array:
        """The values of fixed width, in the machine's byte order; zero for NULL."""
        width = np.dtype(dtype).itemsize
        if self.null is None:
            return items(self.data, width)[self.at].view(dtype).astype(dtype.replace(">", "<"))
        out = np.zeros(len(self.at), dtype.replace(">", "<"))
        present = np.flatnonzero(~self.null)
        out[present] = items(self.data, width)[self.at[present]].view(dtype)
        return out

    def mask(self) -> pa.Buffer | None:
        """Arrow's validity bitmap."""
        import pyarrow as pa

        return None if self.null is None else pa.py_buffer(np.packbits(~self.null, bitorder="little"))


_Decode: TypeAlias = "Callable[[_Column], pa.Array]"


def _number(dtype: str, arrow: str, adjust: Callable[[Array, str], Array] | None = None) -> _Decode:
    def decoder(column: _Column) -> pa.Array:
        import pyarrow as pa

        values = column.values(dtype)
        if adjust is not None:
            values = adjust(values, column.name)
        kind = pa.timestamp("us", tz="UTC") if arrow == "timestamptz" else pa.type_for_alias(arrow)
        return pa.Array.from_buffers(kind, len(values), [column.mask(), pa.py_buffer(values)])

    return decoder


def _boolean(column: _Column) -> pa.Array:
    import pyarrow as pa

    bits = np.packbits(column.values("u1").astype(bool), bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(column.at), [column.mask(), pa.py_buffer(bits)])


def _text(arrow: str) -> _Decode:
    def decoder(column: _Column) -> pa.Array:
        import pyarrow as pa

        offsets = np.zeros(len(column.at) + 1, np.int32)
        np.cumsum(column.length, out=offsets[1:])
        out = np.empty(int(offsets[-1]), np.uint8)
        for length, group in groups_of_equal(column.length):
            items(out, length)[offsets[group]] = items(column.data, length)[column.at[group]]
        buffers = [column.mask(), pa.py_buffer(offsets), pa.py_buffer(out)]
        return pa.Array.from_buffers(pa.type_for_alias(arrow), len(column.at), buffers)

    return decoder


def _since_1970(shift: int) -> Callable[[Array, str], Array]:
    """From Postgres's epoch to Arrow's. Infinity is the greatest value in both, and stays it."""

    def adjust(values: Array, name: str) -> Array:
        info = np.iinfo(values.dtype)
        lowest, highest = values == info.min, values == info.max
        finite = ~(lowest | highest)
        if (finite & (values > info.max - shift)).any():
            raise FatalError(f"column {name!r} has a time past the year 294246, which Arrow cannot hold")
        values = np.where(finite, values + shift, values)
        values[lowest] = -info.max  # DuckDB's -infinity
        return values

    return adjust


_DECODERS: dict[str, _Decode] = {
    "bool": _boolean,
    "int2": _number(">i2", "int16"),
    "int4": _number(">i4", "int32"),
    "int8": _number(">i8", "int64"),
    "float4": _number(">f4", "float32"),
    "float8": _number(">f8", "float64"),
    "date": _number(">i4", "date32", _since_1970(EPOCH_DAYS)),
    "time": _number(">i8", "time64[us]"),
    "timestamp": _number(">i8", "timestamp[us]", _since_1970(EPOCH_US)),
    "timestamptz": _number(">i8", "timestamptz", _since_1970(EPOCH_US)),
    "text": _text("string"),
    "bytea": _text("binary"),
}

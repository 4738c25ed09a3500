"""Arrow record batches to the stream of Postgres's binary COPY, whole columns at a time.

The format (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"): a row is an int16
count of fields, then each field as an int32 length (-1: NULL) and its bytes, big-endian. Where each
field of each row begins is a matter of adding lengths up, so numpy computes all positions first and
then scatters one column after the other into a single buffer. A value of k bytes is moved as one item
of dtype `Vk`: values of fixed width at once, text in groups of equal length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ENCODERS",
    "EPOCH_DAYS",
    "EPOCH_US",
    "Encode",
    "encode",
    "groups_of_equal",
    "items",
]


Array: TypeAlias = "np.ndarray[Any, Any]"

EPOCH_DAYS = 10_957  # from 1970-01-01 to 2000-01-01, where Postgres begins to count
EPOCH_US = EPOCH_DAYS * 86_400_000_000
_DASHES = (8, 13, 18, 23)  # in the text of a UUID


@dataclass(frozen=True)
class Fixed:
    """A column whose values all have the same width: an array of `Vk` items."""

    values: Array


@dataclass(frozen=True)
class Varying:
    """A column of byte strings: value i is `prefix`, then `data[offsets[i] : offsets[i + 1]]`."""

    data: Array
    offsets: Array
    prefix: bytes = b""


Encode: TypeAlias = "Callable[[pa.Array], Fixed | Varying]"


def encode(batch: pa.RecordBatch, encoders: Sequence[Encode]) -> memoryview:
    """The rows of a batch as they stand between its header and trailer. One encoder a column."""
    rows = batch.num_rows
    fields = [
        (encoder(column), _nulls(column)) for encoder, column in zip(encoders, batch.columns, strict=True)
    ]
    row_size = np.full(rows, 2, np.int64)
    begins = []
    for field, null in fields:
        begins.append(row_size.copy())
        size = _sizes(field, rows) + 4
        row_size += size if null is None else np.where(null, 4, size)
    row_ends = np.cumsum(row_size)
    row_begins = row_ends - row_size
    out = np.empty(int(row_ends[-1]) if rows else 0, np.uint8)
    _put(out, row_begins, np.full(rows, len(fields), ">i2"))
    for (field, null), begin in zip(fields, begins, strict=True):
        _put_field(out, row_begins + begin, field, null)
    return out.data


def _put_field(out: Array, at: Array, field: Fixed | Varying, null: Array | None) -> None:
    present = None
    if null is not None:
        _put(out, at[null], np.full(int(null.sum()), -1, ">i4"))
        present = np.flatnonzero(~null)
        at = at[present]
    if isinstance(field, Fixed):
        values = field.values if present is None else field.values[present]
        _put(out, at, np.full(len(at), values.dtype.itemsize, ">i4"))
        _put(out, at + 4, values)
    else:
        begins, ends = field.offsets[:-1], field.offsets[1:]
        if present is not None:
            begins, ends = begins[present], ends[present]
        _put_varying(out, at, field, begins, ends - begins)


def _put_varying(out: Array, at: Array, field: Varying, begins: Array, lengths: Array) -> None:
    prefix = len(field.prefix)
    _put(out, at, (lengths + prefix).astype(">i4"))
    if prefix:
        _put(out, at + 4, np.full(len(at), np.void(field.prefix)))
    at = at + 4 + prefix
    for length, group in groups_of_equal(lengths):
        _put(out, at[group], items(field.data, length)[begins[group]])


def _put(out: Array, at: Array, values: Array) -> None:
    """Copy each value to its position. Positions need not be aligned."""
    if len(values):
        width = values.dtype.itemsize
        items(out, width)[at] = np.ascontiguousarray(values).view(f"V{width}")


def items(data: Array, width: int) -> Array:
    """A view in which element i is the `width` bytes from byte i on."""
    return np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))


def groups_of_equal(lengths: Array) -> Iterator[tuple[int, Array]]:
    """Each length above zero that occurs, and the indices where it does."""
    short = len(lengths) and lengths.max() < 1 << 16
    order = np.argsort(lengths.astype(np.uint16) if short else lengths, kind="stable")  # 16 bits: radix sort
    edges = np.flatnonzero(np.diff(lengths[order])) + 1
    for group in np.split(order, edges):
        if len(group) and (length := int(lengths[group[0]])):
            yield length, group


def _sizes(field: Fixed | Varying, rows: int) -> Array:
    if isinstance(field, Fixed):
        return np.full(rows, field.values.dtype.itemsize, np.int64)
    return np.diff(field.offsets) + len(field.prefix)


# --- one encoder a Postgres type -----------------------------------------------------------------


def _nulls(column: pa.Array) -> Array | None:
    if column.null_count == 0:
        return None
    if column.null_count == len(column):
        return np.ones(len(column), bool)
    # `is_null().to_numpy()` would import pandas, where that is installed: longer than a small copy takes
    valid = np.frombuffer(column.buffers()[0], np.uint8)
    bits = np.unpackbits(valid, count=column.offset + len(column), bitorder="little")
    nulls: Array = bits[column.offset :] == 0
    return nulls


def _buffer(column: pa.Array, dtype: str, per_value: int = 1) -> Array:
    """The values of a column of fixed width, as they lie in memory; what is under a NULL is undefined."""
    begin, count = column.offset * per_value, len(column) * per_value
    buffer = column.buffers()[1]
    if buffer is None:
        return np.zeros(count, dtype)
    return np.frombuffer(buffer, dtype)[begin : begin + count]


def _number(source: str, target: str) -> Encode:
    def encoder(column: pa.Array) -> Fixed:
        return Fixed(_buffer(column, source).astype(target))

    return encoder


def _since_2000(source: str, target: str, shift: int) -> Encode:
    """From Arrow's epoch to Postgres's. DuckDB's infinities are the greatest value and its negative."""

    def encoder(column: pa.Array) -> Fixed:
        values = _buffer(column, source)
        most = np.iinfo(values.dtype).max
        with np.errstate(over="ignore"):
            shifted = values - shift
        infinite = np.abs(values) == most
        if infinite.any():
            shifted[infinite] = np.where(values[infinite] > 0, most, -most - 1)
        return Fixed(shifted.astype(target))

    return encoder


def _boolean(column: pa.Array) -> Fixed:
    import pyarrow as pa

    return Fixed(_buffer(column.cast(pa.uint8()), "u1"))


def _text(column: pa.Array) -> Varying:
    _, offsets, data = column.buffers()
    begin, end = column.offset, column.offset + len(column) + 1
    where = np.frombuffer(offsets, np.int32)[begin:end].astype(np.int64)
    return Varying(np.frombuffer(data or b"", np.uint8), where)


def _jsonb(column: pa.Array) -> Varying:
    """A byte for the version of the format, which is 1, and the text."""
    return replace(_text(column), prefix=b"\x01")


def _uuid(column: pa.Array) -> Fixed:
    text = _text(column)
    assert isinstance(text, Varying)
    out = np.zeros((len(column), 32), np.uint8)
    present = np.flatnonzero(np.diff(text.offsets) == 36)
    if len(present):
        letters = items(text.data, 36)[text.offsets[present]].view(np.uint8).reshape(-1, 36)
        out[present] = np.delete(letters, _DASHES, axis=1)
    nibbles = (out & 0x0F) + (out >> 6) * 9  # '0' to '9' are 0x30 to 0x39, 'a' to 'f' 0x61 to 0x66
    return Fixed((nibbles[:, 0::2] << 4 | nibbles[:, 1::2]).astype(np.uint8).view("V16").reshape(-1))


def _decimal(column: pa.Array) -> Fixed:
    """numeric: int16 count of digits, weight of the first, sign, display scale, then base-10,000 digits.

    Every value gets as many digits as the widest of the batch needs; Postgres strips zeros itself.
    """
    scale = column.type.scale
    after_point = -(-scale // 4)
    negative, limbs = _limbs(column)
    _multiply(limbs, 10 ** (after_point * 4 - scale))
    digits: list[Array] = []
    while len(digits) <= after_point or any(limb.any() for limb in limbs):
        digits.insert(0, _divide(limbs, 10_000))
    out = np.empty((len(column), 4 + len(digits)), ">i2")
    out[:, 0], out[:, 1] = len(digits), len(digits) - after_point - 1
    out[:, 2], out[:, 3] = np.where(negative, 0x4000, 0), scale
    for i, digit in enumerate(digits):
        out[:, 4 + i] = digit
    width = out.shape[1] * 2
    return Fixed(out.view(f"V{width}").reshape(-1))


def _limbs(column: pa.Array) -> tuple[Array, list[Array]]:
    """The signs, and the absolute values as 32-bit limbs in uint64 arrays, the highest first."""
    words = _buffer(column, "<u8", 2).reshape(-1, 2)
    low, high = words[:, 0].copy(), words[:, 1].copy()
    if (null := _nulls(column)) is not None:
        low[null] = high[null] = 0
    negative = high >> np.uint64(63) == 1
    low = np.where(negative, ~low + np.uint64(1), low)
    high = np.where(negative, ~high + (low == 0), high)
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    limbs = [low >> shift, low & mask]
    if high.any() or column.type.precision > 15:
        limbs = [np.zeros_like(low), high >> shift, high & mask, *limbs]
    return negative, limbs


def _multiply(limbs: list[Array], factor: int) -> None:
    """Multiply in place by a factor below 2**32."""
    carry = np.zeros_like(limbs[0])
    for i in reversed(range(len(limbs))):
        product = limbs[i] * np.uint64(factor) + carry
        limbs[i], carry = product & np.uint64(0xFFFFFFFF), product >> np.uint64(32)


def _divide(limbs: list[Array], divisor: int) -> Array:
    """Divide in place by a divisor below 2**32; the remainders."""
    by, rest = np.uint64(divisor), np.zeros_like(limbs[0])
    for i, limb in enumerate(limbs):
        if i == 0 and not limb.any():
            continue
        current = (rest << np.uint64(32)) | limb
        limbs[i] = current // by
        rest = current - limbs[i] * by
    return rest


def _decimal_text(column: pa.Array) -> Varying:
    """numeric without a declared scale, from text, value by value: each has digits of its own."""
    pieces = [b"" if text is None else _numeric(Decimal(text)) for text in column.to_pylist()]
    offsets = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
    return Varying(np.frombuffer(b"".join(pieces), np.uint8), offsets)


def _numeric(value: Decimal) -> bytes:
    if not value.is_finite():
        sign = 0xC000 if value.is_nan() else 0xF000 if value.is_signed() else 0xD000
        return np.array([0, 0, sign, 0], ">u2").tobytes()
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)) + "0" * max(exponent, 0)
    scale = max(-exponent, 0)
    whole, fraction = (text[:-scale], text[-scale:].rjust(scale, "0")) if scale else (text, "")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    fraction = fraction.ljust(-(-scale // 4) * 4, "0")
    groups = [int((whole + fraction)[i : i + 4]) for i in range(0, len(whole) + len(fraction), 4)]
    head = [len(groups), len(whole) // 4 - 1, 0x4000 if sign else 0, scale]
    return np.array([*head, *groups], ">i2").tobytes()


ENCODERS: dict[str, Encode] = {
    "bool": _boolean,
    "int2": _number("<i2", ">i2"),
    "int4": _number("<i4", ">i4"),
    "int8": _number("<i8", ">i8"),
    "float4": _number("<f4", ">f4"),
    "float8": _number("<f8", ">f8"),
    "date": _since_2000("<i4", ">i4", EPOCH_DAYS),
    "time": _number("<i8", ">i8"),
    "timestamp": _since_2000("<i8", ">i8", EPOCH_US),
    "timestamptz": _since_2000("<i8", ">i8", EPOCH_US),
    "uuid": _uuid,
    "bytea": _text,
    "text": _text,
    "json": _text,
    "jsonb": _jsonb,
    "decimal": _decimal,
    "numeric": _decimal_text,
}
"""By Postgres type, with two forms of numeric: `decimal` from Arrow decimals, `numeric` from text."""

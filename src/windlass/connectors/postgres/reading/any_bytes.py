"""Text of a database in SQL_ASCII, which may be in any encoding: read as bytes, and taken for text where it is UTF-8.

As text the server would not hand it on: it checks what it sends to a client that wants UTF-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from windlass.connectors.not_utf8 import NOT_UTF8

if TYPE_CHECKING:
    import pyarrow as pa

    from windlass.connectors.postgres.wire.decode import Field

__all__ = ["as_bytes", "with_text"]


def as_bytes(field: Field) -> Field:
    """The field, whose text comes as bytes."""
    return replace(field, sql=f"convert_to({field.sql}, 'SQL_ASCII')", kind="bytea")


def with_text(batch: pa.RecordBatch, texts: Sequence[int]) -> pa.RecordBatch:
    """The batch with text again in these columns, and one more that says which of them is not text (`not_utf8.py`)."""
    import pyarrow as pa

    wrong: list[int | None] = [None] * batch.num_rows
    columns = list(batch.columns)
    for i in texts:
        columns[i] = _text(columns[i], i, wrong)
    names = [*batch.schema.names, NOT_UTF8]
    return pa.RecordBatch.from_arrays([*columns, pa.array(wrong, pa.int32())], names=names)


def _text(column: Any, place: int, wrong: list[int | None]) -> Any:
    import pyarrow as pa

    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array(
            [_value(item, place, row, wrong) for row, item in enumerate(column.to_pylist())], pa.string()
        )


def _value(item: bytes | None, place: int, row: int, wrong: list[int | None]) -> str | None:
    """A value as text; with its bytes written out where it is not text."""
    try:
        return None if item is None else item.decode()
    except UnicodeDecodeError:
        wrong[row] = place if wrong[row] is None else wrong[row]
        assert item is not None
        return item.decode("utf-8", "backslashreplace")

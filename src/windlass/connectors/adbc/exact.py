"""What a driver says in Arrow, in the types that the scratch database reads without rounding.

A time in nanoseconds with a zone would lose them there, a number of more than 38 digits would be refused, and the types that a
driver has of its own (`arrow.opaque`) stand for the text or the bytes that they are stored as.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from windlass.connectors.rows import Column
from windlass.errors import FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Exact", "exact"]

_NUMBERS = ("numeric", "decimal", "number")


@dataclass(frozen=True)
class Exact:
    """The schema of what is read."""

    schema: pa.Schema
    columns: dict[str, Column]
    """Those that text stands for, by their names."""

    source: str

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with that schema. Raises FatalError for a value that has no place in it."""
        import pyarrow as pa

        arrays = []
        for field, array in zip(self.schema, batch.columns, strict=True):
            stored = (
                array.storage if isinstance(array, pa.ExtensionArray) and array.type != field.type else array
            )
            try:
                arrays.append(stored if stored.type == field.type else stored.cast(field.type))
            except pa.ArrowInvalid as exc:
                hint = "cast it in a `query`, to text or to less digits"
                message = (
                    f"{self.source}: column {field.name!r} has a value that is finer than microseconds: {exc}"
                )
                raise FatalError(message, hint=hint) from exc
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def exact(schema: pa.Schema, source: str) -> Exact:
    """What becomes of a driver's schema. Raises FatalError for a type that cannot be read."""
    import pyarrow as pa

    fields, columns = [], {}
    for field in schema:
        kind, carries = _type(field, source)
        fields.append(pa.field(field.name, kind, field.nullable))
        if carries:
            columns[field.name] = Column(field.name, "VARCHAR", field.nullable, carries="number")
    return Exact(pa.schema(fields), columns, source)


def _type(field: pa.Field, source: str) -> tuple[pa.DataType, bool]:
    """The type that is read, and whether it is text that stands for numbers."""
    import pyarrow as pa

    kind, name = field.type, ""
    if isinstance(kind, pa.OpaqueType):
        kind, name = kind.storage_type, kind.type_name.lower()
        if not pa.types.is_string(kind):  # bytes in a form of the database's own
            raise _not_read(field, name, source)
    if pa.types.is_decimal(kind) and kind.precision > 38:
        return pa.string(), True
    if pa.types.is_timestamp(kind) and kind.unit == "ns" and kind.tz is not None:
        return pa.timestamp("us", kind.tz), False
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us"), False
    if pa.types.is_interval(kind):  # in nanoseconds
        raise _not_read(field, str(kind), source)
    return kind, name in _NUMBERS


def _not_read(field: pa.Field, kind: str, source: str) -> FatalError:
    message = f"{source}: column {field.name!r} is of the type {kind}, whose values others do not know"
    return FatalError(message, hint="cast it to text in a `query`, or leave it out there")

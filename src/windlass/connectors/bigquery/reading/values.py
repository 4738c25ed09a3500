"""How values come out of BigQuery: as Arrow has them, and as text what Arrow, or DuckDB, has no such type for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from windlass.connectors.bigquery.fields import Field
from windlass.connectors.rows import Column

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_read", "converted", "read_schema"]

_MOST_DIGITS = 38  # of a DECIMAL in DuckDB


def as_read(field: Field) -> Column:
    """The column; its type counts where it is text, and is Arrow's for the rest."""
    if field.is_nested or not _is_text(field):
        return Column(field.name, "", native=field.sql())
    guess = "JSON" if field.type == "JSON" else None
    carries = {"BIGNUMERIC": "number", "GEOGRAPHY": "other", "INTERVAL": "other", "RANGE": "other"}
    return Column(
        field.name,
        "VARCHAR",
        native=field.sql(),
        max_length=field.max_length,
        carries=carries.get(field.type, ""),  # type: ignore[arg-type]
        guess=guess,
        trust="declared",
    )


def _is_text(field: Field) -> bool:
    if field.type == "BIGNUMERIC":
        return field.digits is None or field.digits[0] > _MOST_DIGITS
    return field.type in ("STRING", "JSON", "GEOGRAPHY")


def read_schema(fields: Sequence[Field]) -> pa.Schema:
    """The schema of what `converted` gives."""
    import pyarrow as pa

    return pa.schema([(field.name, _arrow(field)) for field in fields])


def _arrow(field: Field) -> Any:
    import pyarrow as pa

    if field.repeated:
        return pa.list_(_arrow(field.item))
    if field.type == "RECORD":
        return pa.struct([(each.name, _arrow(each)) for each in field.fields])
    if field.type == "RANGE":
        element = _arrow(Field(name="", type=field.element))
        return pa.struct([("start", element), ("end", element)])
    if _is_text(field):
        return pa.string()
    if field.digits is not None:
        return pa.decimal128(*field.digits)
    kinds = {
        "BOOL": pa.bool_(),
        "INT64": pa.int64(),
        "FLOAT64": pa.float64(),
        "BYTES": pa.binary(),
        "DATE": pa.date32(),
        "TIME": pa.time64("us"),
        "DATETIME": pa.timestamp("us"),
        "TIMESTAMP": pa.timestamp("us", "UTC"),
        "INTERVAL": pa.month_day_nano_interval(),
    }
    return kinds.get(field.type, pa.string())


def converted(batch: pa.RecordBatch, fields: Sequence[Field]) -> pa.RecordBatch:
    """The batch with the columns in order, each of the type that `read_schema` says."""
    import pyarrow as pa
    import pyarrow.compute as pc

    arrays = []
    for field in fields:
        values, kind = batch.column(field.name), _arrow(field)
        if pa.types.is_decimal(values.type) and kind == pa.string():
            values = pc.replace_substring_regex(values.cast(kind), r"(\.[0-9]*?)0+$", r"\1")
            values = pc.utf8_rtrim(values, ".")
        arrays.append(values if values.type == kind else values.cast(kind))
    return pa.RecordBatch.from_arrays(arrays, schema=read_schema(fields))

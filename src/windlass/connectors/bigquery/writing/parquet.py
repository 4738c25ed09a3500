"""What a Parquet file says of itself, as far as BigQuery has to read it just as windlass would.

Only the footer is read. https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet has what BigQuery makes of
which type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from windlass.connectors.bigquery.fields import Field, field_for
from windlass.connectors.stores.ranges import ObjectInRanges
from windlass.storage.objects import Object, Store

__all__ = ["Footer", "footer_of"]

_PHYSICAL = {
    "BOOLEAN": "BOOLEAN",
    "INT32": "INTEGER",
    "INT64": "BIGINT",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "BYTE_ARRAY": "BLOB",
}
"""DuckDB's types for what has no logical type."""

_DAY = 86_400
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31
_PER_SECOND = {"milliseconds": 1_000, "microseconds": 1_000_000}


class Footer(NamedTuple):
    """The columns of a file, as windlass would make them, and how many rows it has."""

    fields: tuple[Field, ...]
    rows: int


class _Known(NamedTuple):
    """A type, and between which numbers values have to be, as the file has them."""

    kind: str
    lowest: int | None = None
    highest: int | None = None


def footer_of(store: Store, found: Object) -> Footer | None:
    """The footer of an object; None where BigQuery may not read just what is meant. Raises ChangedError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with ObjectInRanges(store, found) as file:
        try:
            metadata = pq.read_metadata(file)
        except (pa.ArrowInvalid, OSError):  # the other way says what is wrong with it
            return None
    fields = []
    for i in range(metadata.num_columns):
        column = metadata.schema.column(i)
        known = _known(column)
        if known is None or not _are_within(metadata, i, known):
            return None
        fields.append(field_for(column.name, known.kind))
    return Footer(tuple(fields), metadata.num_rows)


def _known(column: Any) -> _Known | None:
    """What a column has; None for one that consists of others, or whose values BigQuery has another idea of."""
    if column.path != column.name or column.max_repetition_level or column.max_definition_level > 1:
        return None
    said = json.loads(column.logical_type.to_json())
    logical, physical = said["Type"], column.physical_type
    if logical == "None":
        kind = _PHYSICAL.get(physical)
        return None if kind is None else _Known(kind)
    if logical == "String":
        return _Known("VARCHAR")
    if logical == "Int":
        is_wide = not said["isSigned"] and said["bitWidth"] == 64
        return None if is_wide else _Known("BIGINT")
    if logical == "Decimal":
        return _Known(f"DECIMAL({said['precision']},{said['scale']})") if said["precision"] <= 38 else None
    if logical == "Date":
        return _Known("DATE", _FIRST_DAY, _LAST_DAY)
    return _time(logical, said)


def _time(logical: str, said: dict[str, Any]) -> _Known | None:
    per_second = _PER_SECOND.get(said.get("timeUnit", ""))
    if per_second is None:
        return None
    if logical == "Time":
        return _Known("TIME", 0, _DAY * per_second - 1)
    if logical == "Timestamp":
        kind = "TIMESTAMP WITH TIME ZONE" if said["isAdjustedToUTC"] else "TIMESTAMP"
        return _Known(kind, _FIRST_DAY * _DAY * per_second, (_LAST_DAY + 1) * _DAY * per_second - 1)
    return None


def _are_within(metadata: Any, column: int, known: _Known) -> bool:
    """Whether the file says of all values that they are between the two numbers."""
    if known.lowest is None or known.highest is None:
        return True
    return all(known.lowest <= low and high <= known.highest for low, high in _bounds(metadata, column))


def _bounds(metadata: Any, column: int) -> Iterator[tuple[float, float]]:
    """The lowest and the highest value of each part of a column that has any; infinite where the file does not say."""
    for group in range(metadata.num_row_groups):
        part = metadata.row_group(group).column(column)
        found = part.statistics
        if found is not None and found.has_min_max:
            yield found.min_raw, found.max_raw
        elif part.num_values and not (
            found is not None and found.has_null_count and found.null_count == part.num_values
        ):
            yield float("-inf"), float("inf")

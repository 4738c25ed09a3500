"""The rows of a merge, without those whose key says of no row which it is: for destinations that could not leave them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from windlass.connectors.rows import Rows
from windlass.connectors.scratch import Scratch, file_literal, identifier, literal
from windlass.connectors.sql.engine import DuckdbEngine, NewRows
from windlass.connectors.sql.merging import quarantine_bad_keys

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["numbered_rows"]

_NUMBER = "__windlass_row"


def numbered_rows(
    rows: Rows, key: Sequence[str], scratch: Scratch
) -> Iterator[tuple[pa.RecordBatch, Sequence[int]]]:
    """The rows without those whose key is NULL or occurs more than once, each with its number."""
    file = scratch.folder / f"{scratch.new_name()}.parquet"
    numbered = f"SELECT *, row_number() OVER () - 1 AS {_NUMBER} FROM ({scratch.reader(rows.batches(), rows.columns)})"
    scratch.output_rows(f"COPY ({numbered}) TO {literal(str(file))} (FORMAT parquet)")
    names = tuple(column.name for column in rows.columns)
    new = NewRows(f"read_parquet({file_literal(file)})", names, _NUMBER)
    new = quarantine_bad_keys(DuckdbEngine(scratch.output_rows), new, key, rows.refuse)
    values = ", ".join(
        f"CAST({identifier(c.name)} AS {c.type}) AS {identifier(c.name)}" for c in rows.columns
    )
    for batch in scratch.stream(f"SELECT {values}, {_NUMBER} FROM {new.sql} ORDER BY {_NUMBER}"):
        yield batch, batch[_NUMBER].to_pylist()

"""Records as rows while others of them are still on their way: columns and types are those that the first ones show.

A record that shows something else, a field more, a fraction among whole numbers, raises MisfitError in whoever loads;
then all are fetched, looked at, and loaded from the beginning. What is loaded is the same in either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from windlass.connectors.files.reading.infer import fits
from windlass.connectors.files.reading.json import RECORD, JsonRelation
from windlass.connectors.files.reading.json_fields import fields_of, paths_to
from windlass.connectors.json_digits import loses_digits
from windlass.connectors.record_stream import Fetching, Piece
from windlass.connectors.relations import StreamRelation
from windlass.connectors.rows import BadRow, Column, MisfitError, Reason, RowFault
from windlass.connectors.scratch import Scratch, identifier
from windlass.connectors.source import Reading, Relation
from windlass.errors import WindlassError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["JsonStream"]

_AHEAD = 4
_MOST_COLUMNS = 500
_TEXT, _KINDS = '"__windlass_text"', '"__windlass_kinds"'
_NUMBERS = {"BIGINT", "UBIGINT", "DOUBLE"}
_NESTED = "IN ('OBJECT', 'ARRAY')"
_OTHER = "a record is not as the first ones were"


class JsonStream(StreamRelation):
    """The first records, as a relation of them shows them, and those that are still coming."""

    def __init__(
        self,
        name: str,
        sample: JsonRelation,
        first: Sequence[Piece],
        coming: Iterator[Piece],
        whole: Callable[[], Relation],
        place_of: Callable[[int], str],
        reading: Reading,
        scratch: Scratch,
    ) -> None:
        super().__init__(name, scratch)
        self._sample, self._first, self._coming = sample, first, coming
        self._whole, self._place_of, self._reading = whole, place_of, reading
        self._fetching: Fetching[Piece] | None = None

    def shows_enough(self) -> bool:
        """Whether the first records have all columns that are asked for, and no more than can be looked at one by one.
        Raises WindlassError where nothing can be made of them.
        """
        names = {column.name for column in self.columns()}
        return len(names) <= _MOST_COLUMNS and names >= (self._reading.named or frozenset())

    def columns(self) -> list[Column]:
        return [replace(column, trust="tested") for column in self._sample.columns()]

    def sql(self) -> str:
        columns = self.columns()
        kinds = f"json_type(json, {paths_to([column.name for column in columns])}) AS {_KINDS}"
        records = f"(SELECT record, TRY_CAST(record AS JSON) AS json FROM {super().sql()})"
        return fields_of(columns, records, f"json AS {RECORD}", f"record AS {_TEXT}", kinds, kept=("record",))

    def stream(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow as pa

        schema = pa.schema([("record", pa.string())])
        self._fetching = Fetching(self._coming, _AHEAD)
        self._scratch.at_exit(self._fetching.stop)
        found = chain(self._first, self._fetching)
        return schema, (pa.record_batch([pa.array(piece, pa.string())], schema=schema) for piece in found)

    def faults(self) -> Sequence[RowFault]:
        malformed, no_object, twice = self._sample.always()
        digits = RowFault(loses_digits(_TEXT), Reason.LOSES_PRECISION, self._sample.ROUNDED)
        other = RowFault(" OR ".join(self._misfits()), Reason.TYPE_MISMATCH, _OTHER, is_misfit=True)
        return malformed, no_object, twice, other, digits

    def record(self) -> str | None:
        return _TEXT

    def locate(self, rows: Iterator[BadRow]) -> Iterator[BadRow]:
        for row in rows:
            row.source = self.name if row.ordinal is None else self._place_of(row.ordinal)
            yield row

    def recover(self, error: WindlassError) -> Relation | None:
        if super().recover(error) is None and not isinstance(error, MisfitError):
            return None
        if self._fetching is not None:
            self._fetching.finish()
        return self._whole()

    def _misfits(self) -> Iterator[str]:
        """SQL that is true for a record by which columns or types would be others."""
        if self._reading.named is None:
            yield f"len(json_keys({RECORD})) > list_count({_KINDS})"
        for place, column in enumerate(self.columns(), 1):
            if self._reading.named is None or column.name in self._reading.named:
                yield from self._misfits_of(column, f"{_KINDS}[{place}]")
        yield "false"

    def _misfits_of(self, column: Column, kind: str) -> Iterator[str]:
        seen = self._sample.kinds[column.name] - {"NULL"}
        if column.type == "JSON":
            return
        if self._reading.target is not None:
            yield f"{kind} {_NESTED}"
        elif not seen:
            yield f"{kind} <> 'NULL'"
        elif seen == {"BOOLEAN"}:
            yield f"{kind} NOT IN ('BOOLEAN', 'NULL')"
        elif seen <= _NUMBERS and column.guess is not None:
            value = identifier(column.name)
            yield f"{kind} NOT IN ('BIGINT', 'UBIGINT', 'DOUBLE', 'NULL')"
            yield f"({value} IS NOT NULL AND NOT {fits(column.guess, value)})"
        else:
            yield f"{kind} {_NESTED}"

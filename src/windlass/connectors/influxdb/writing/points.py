"""The points of a load, in the scratch folder: made of its rows, and without the rows that make no point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from windlass import failpoints
from windlass.connectors.ends import Interval
from windlass.connectors.influxdb import options
from windlass.connectors.influxdb.lines import UNITS, identity, joined, moment, nanoseconds
from windlass.connectors.influxdb.writing.columns import Parts
from windlass.connectors.influxdb.writing.sending import AT_ONCE, Point
from windlass.connectors.rows import BadRow, Column, Meter, Reason, Rows, record_of
from windlass.connectors.scratch import Scratch, file_literal, identifier, literal
from windlass.errors import Code, FatalError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Points", "Refuse"]

_MOST_BYTES = 8_000_000  # of a request; servers of version 1 take 25 MB, unless somebody says otherwise

Refuse: TypeAlias = Callable[[BadRow, int], None]


class Points:
    """The points of one load."""

    def __init__(
        self, wanted: options.Destination, parts: Parts, interval: Interval | None, scratch: Scratch
    ) -> None:
        self._options, self._parts, self._scratch = wanted, parts, scratch
        self._time = _time(wanted, parts.time, interval)
        self._file = scratch.folder / f"{scratch.new_name()}.parquet"
        self._has_bad = False

    def gather(self, rows: Rows, meter: Meter) -> None:
        """Make points of all rows, numbered as they come."""

        def told() -> Iterator[pa.RecordBatch]:
            for batch in rows.batches():
                yield batch
                meter(batch.num_rows, batch.nbytes)
                failpoints.reach("mid-copy")

        names = ", ".join(f"{identifier(c.name)} := {identifier(c.name)}" for c in rows.columns)
        made = (
            f"SELECT row_number() OVER () - 1 AS number, {identity(self._options.measurement, self._parts.tags)} AS tags, "
            f"{joined(self._parts.fields)} AS fields, {self._time} AS time, "
            f"CAST(to_json(struct_pack({names})) AS VARCHAR) AS record "
            f"FROM ({self._scratch.reader(told(), rows.columns)})"
        )
        self._scratch.output_rows(f"COPY ({made}) TO {literal(str(self._file))} (FORMAT parquet)")

    def refuse_bad_ones(self, refuse: Refuse) -> None:
        """Hand on rows without a field, and those that would be one and the same point: which of them should win?"""
        bad = self._scratch.output_rows(
            f"SELECT number, fields = '', record FROM {self._looked_at} WHERE {_IS_BAD}"
        )
        self._has_bad = bool(bad)
        for number, is_empty, record in sorted(bad):
            refuse(self._without_field(record) if is_empty else self._twice(record), number)

    def in_requests(self) -> Iterator[list[Point]]:
        """The others, as many at a time as one request has."""
        good = f"{self._looked_at} WHERE NOT ({_IS_BAD})" if self._has_bad else self._all
        line = "tags || ' ' || fields || ' ' || time"
        some: list[Point] = []
        size = 0
        for batch in self._scratch.stream(
            f"SELECT number, {line} AS line, record FROM {good} ORDER BY number"
        ):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                some.append(Point(*values))
                size += len(some[-1].line)
                if len(some) == AT_ONCE or size > _MOST_BYTES:
                    yield some
                    some, size = [], 0
        if some:
            yield some

    @property
    def _all(self) -> str:
        return f"read_parquet({file_literal(self._file)})"

    @property
    def _looked_at(self) -> str:
        return f"(SELECT *, count(*) OVER (PARTITION BY tags, time) AS same FROM {self._all})"

    def _without_field(self, record: str) -> BadRow:
        return BadRow(Reason.IS_NULL, "all fields are NULL, and a point needs one", record=record_of(record))

    def _twice(self, record: str) -> BadRow:
        row = record_of(record)
        what = ", ".join(f"{column.name}={row[column.name]!r}" for column in self._identifying)
        message = f"another row is the same point: it has the same tags and time ({what or 'the start of the interval'})"
        return BadRow(Reason.DUPLICATE_KEY, message, record=row)

    @property
    def _identifying(self) -> list[Column]:
        return [*self._parts.tags, *([self._parts.time] if self._parts.time else [])]


_IS_BAD = "fields = '' OR same > 1"


def _time(wanted: options.Destination, column: Column | None, interval: Interval | None) -> str:
    """SQL for the time of each point."""
    if column is not None:
        return moment(column, wanted.precision)
    if interval is None:
        raise FatalError(
            "a point needs a time, and this run has no data interval to take it from",
            hint="name the column that has it in `time`; or give the pipeline a schedule, and run it with --logical-date",
            code=Code.NO_DATA_INTERVAL,
        )
    return literal(str(nanoseconds(interval[0]) // UNITS[wanted.precision]))

"""A measurement, or a query, as the source of a copy.

The answer is kept in a scratch file as the server sends it, and is looked at twice: once for the columns and types that there
are, once for the values. So both looks see the same rows, whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.influxdb import influxql, options
from windlass.connectors.influxdb.answers import Series, series_in
from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.connector import CONNECTOR
from windlass.connectors.influxdb.reading.values import Values
from windlass.connectors.influxdb.schema import field_types, quoted, tag_names
from windlass.connectors.relations import ArrowRelation, records_relation
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.errors import Code, FatalError, RetryableError, did_you_mean, naming

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["InfluxdbSource"]


class InfluxdbSource(BaseSource):
    """A measurement or a query. Implements `Source`."""

    def __init__(self, end: ConnectedEnd[options.Source]) -> None:
        self.options, self.connection = end.options, Connection(end.address)
        measurement = end.options.measurement
        self.name = f"{end.connection}.{measurement}" if measurement else f"{end.connection}: query"
        self._types = self._types_of(measurement) if measurement else {}

    def fingerprint(self) -> dict[str, object]:
        connection = self.connection
        return {
            "type": CONNECTOR.type,
            "server": f"{connection.where}/{connection.database}/{connection.retention_policy}",
            "measurement": self.options.measurement,
            "query": self.options.query,
        }

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        file = scratch.folder / f"{scratch.new_name()}.json"
        with naming(file), file.open("wb") as out:
            for line in self.connection.answers(self._query):
                out.write(line.strip() + b"\n")
        answer = _Answer(file, self.connection.where)
        values = Values(self.name, self._types)
        is_whole = True
        for series in answer:
            values.see(series)
            is_whole = not series.is_partial
        if not is_whole:
            message = f"{self.name}: the server sent {values.rows:,} rows, and says that there are more"
            raise RetryableError(message, code=Code.CONNECTION_LOST)
        if not values.rows:
            return records_relation(self.name, (), reading, scratch)
        return ArrowRelation(self.name, values.schema(), _Batches(answer, values), reading, scratch)

    @property
    def _query(self) -> str:
        if self.options.query is not None:
            return self.options.query
        return f"SELECT * FROM {quoted(self.connection, str(self.options.measurement))}"

    def _types_of(self, measurement: str) -> dict[str, str]:
        """The type of each tag and field. Raises FatalError for a measurement that is not there, or has no one type."""
        types = field_types(self.connection, measurement)
        if not types:
            raise self._not_there(measurement)
        for name, kinds in types.items():
            if len(kinds) > 1:
                hint = f"read one of them with a `query`: SELECT {influxql.name(name)}::{kinds[0]} FROM …"
                message = f"{self.name}: the field {name!r} has values of several types: {', '.join(kinds)}"
                raise FatalError(message, hint=hint)
        tags = dict.fromkeys(tag_names(self.connection, measurement), "string")
        return {**tags, **{name: kinds[0] for name, kinds in types.items()}}

    def _not_there(self, measurement: str) -> FatalError:
        found = self.connection.query("SHOW MEASUREMENTS")
        names = [row["name"] for series in found for row in series.rows()]
        known = [name for name in names if name not in options.OURS]
        hint = did_you_mean(measurement, known) or f"{self.connection.target} has no measurements"
        return FatalError(
            f"{self.name}: there is no measurement {measurement!r}", hint=hint, code=Code.NO_TABLE
        )


class _Answer:
    """What was kept of an answer, as often as it is asked for."""

    def __init__(self, file: Path, where: str) -> None:
        self._file, self._where = file, where

    def __iter__(self) -> Iterator[Series]:
        with self._file.open("rb") as lines:
            for line in lines:
                yield from series_in(line, self._where)


class _Batches:
    """The batches of an answer, as often as they are asked for."""

    def __init__(self, answer: _Answer, values: Values) -> None:
        self._answer, self._values = answer, values

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for series in self._answer:
            yield self._values.batch(series)

"""Measurements of one InfluxDB database. A row's identity is its `id`, a tag, and its `day`, the time of its point.

It is not among the kits that meet each other in test_pairs.py: it goes with its own tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from windlass.connections import Address
from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.lines import line
from windlass.plan.model import Destination, Mode, Source
from windlass.testing import NAMES, Copier, Kit, Row, destination_of, source_of

_SAME_POINT = "rows with the same tags and time are one point"


class InfluxdbKit(Kit):
    connector = "influxdb"
    more = ("time",)
    gaps: ClassVar[Mapping[str, str]] = {
        "test_of_two_writers_at_once_one_commits[True-append]": _SAME_POINT,
        "test_of_two_writers_at_once_one_commits[False-append]": _SAME_POINT,
        "test_delete_insert_replaces_the_rows_of_the_interval_only[at]": "points are deleted by their time only",
    }

    def __init__(self, copier: Copier, influxdb: Address) -> None:
        super().__init__(copier)
        self._connection, self._made = Connection(influxdb), 0
        self._points = 0
        copier.addresses["influxdb"] = influxdb

    def source(self, rows: Sequence[Row]) -> Source:
        self._made += 1
        name = f"source_{self._made}"
        if not rows:  # then there is no such measurement
            return source_of(connection="influxdb", query=f"SELECT * FROM {name}")
        source = source_of(connection="influxdb", measurement=name)
        for row in rows:
            self.add(source, row)
        return source

    def add(self, source: Source, row: Row) -> None:
        self._points += 1
        values = {**dict(zip(NAMES, row, strict=True)), "amount": float(row[2])}
        fields = {name: value for name, value in values.items() if value is not None}
        self._connection.write(line(source.options["measurement"], {}, fields, self._points * 1000))

    def destination(self, mode: Mode = "replace", **options: Any) -> Destination:
        return destination_of(
            connection="influxdb", measurement="target", mode=mode, tags=("id",), time="day", **options
        )

    def raw(self) -> Iterable[Sequence[Any]]:
        for series in self._connection.query("SELECT * FROM target"):
            for row in series.rows():
                day = datetime.fromtimestamp(row["time"] / 10**9, UTC).date()
                found = {**row, "day": day}
                yield [found.get(name) for name in NAMES]

    def left(self) -> list[str]:
        found = self._connection.query("SHOW MEASUREMENTS")
        return [*super().left(), *(row["name"] for series in found for row in series.rows())]

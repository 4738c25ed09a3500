"""A measurement as the destination of a copy.

InfluxDB has no transactions. So the rows of a load are first gathered, checked and made into points here, in the scratch
folder; then they are sent, many in a request; then the ledger says that they are there (ledger.py). A point is identified by
its measurement, tags and time, which come from the row, or from the data interval: whatever was sent by a load that was
killed is overwritten when it is started again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from windlass import failpoints
from windlass.connectors.destination import BaseDestination, BaseLoad, Traits
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.influxdb import options
from windlass.connectors.influxdb.client import Connection
from windlass.connectors.influxdb.writing.columns import Measurement
from windlass.connectors.influxdb.writing.deleting import delete, require_deletes
from windlass.connectors.influxdb.writing.ledger import Ledger
from windlass.connectors.influxdb.writing.points import Points, Refuse
from windlass.connectors.influxdb.writing.sending import send
from windlass.connectors.influxdb.writing.turns import Turn, revoke, take_turn
from windlass.connectors.rows import Column, Counts, Meter, Rows
from windlass.connectors.scratch import Scratch
from windlass.errors import WindlassError
from windlass.ledger import LedgerEntry

__all__ = ["InfluxdbDestination"]


class InfluxdbDestination(BaseDestination):
    """A measurement. Implements `Destination`."""

    traits = Traits(
        way="arrow → line protocol",
        modes=frozenset(("append", "replace", "delete_insert")),
        guarantee="idempotent",
    )

    def __init__(self, end: ConnectedEnd[options.Destination]) -> None:
        self.options, self.interval, self._alone = end.options, end.interval, end.alone
        self.connection = Connection(end.address)
        if self.options.mode != "append":
            require_deletes(self.connection, self.options.measurement)

    def begin(self, entry: LedgerEntry) -> InfluxdbLoad:
        turn = take_turn(self.connection, self.options.measurement, entry, alone=self._alone)
        try:
            failpoints.reach("during-recovery")
            return InfluxdbLoad(self, turn, entry)
        except BaseException:
            with suppress(WindlassError):  # then others wait until there is no sign of life
                turn.leave()
            raise

    def settle(self, entry: LedgerEntry, loads: Sequence[str]) -> LedgerEntry | None:
        revoke(self.connection, self.options.measurement, entry, loads)
        return Ledger(self.connection, self.options.measurement).find(entry)


class InfluxdbLoad(BaseLoad):
    """One load. Implements `Load`."""

    def __init__(self, destination: InfluxdbDestination, turn: Turn, entry: LedgerEntry) -> None:
        self._connection, self._options, self._turn = destination.connection, destination.options, turn
        self._interval = destination.interval
        self._ledger = Ledger(self._connection, self._options.measurement)
        self.earlier, self.last_cursor = self._ledger.find(entry), self._ledger.last_cursor(entry)
        self._measurement = Measurement(self._connection, self._options)
        self._points: Points | None = None

    def __exit__(self, *_: object) -> None:
        self._turn.leave()

    def storable(self, column: Column) -> Column:
        return self._measurement.storable(column)

    def write(self, rows: Rows, counts: Counts, scratch: Scratch, meter: Meter) -> None:
        """Make points of all rows, in the scratch folder."""
        failpoints.reach("before-staging")
        parts = self._measurement.parts(rows.columns)
        self._points = Points(self._options, parts, self._interval, scratch)
        self._points.gather(rows, meter)
        self._points.refuse_bad_ones(rows.refuse)

    def send(self, counts: Counts, refuse: Refuse) -> None:
        """Delete what is replaced, and send the points. Implements `SendingLoad`."""
        assert self._points is not None
        self._turn.check()
        if self._options.mode != "append":
            interval = self._interval if self._options.mode == "delete_insert" else None
            delete(self._connection, self._options.measurement, interval)
        for some in self._points.in_requests():
            self._turn.check()
            counts.written += send(self._connection, some, self._options.precision, refuse)
            counts.bytes += sum(len(point.line) for point in some)
            failpoints.reach("mid-apply")

    def restart(self) -> None:
        self._points = None

    def commit(self, entry: LedgerEntry) -> None:
        failpoints.reach("before-ledger")
        failpoints.reach("before-commit")
        self._turn.check()
        self._ledger.commit(entry)
        failpoints.reach("after-ledger")
        failpoints.reach("after-commit")

"""The keys of a measurement in `from:`, `to:` and `dev:`."""

from __future__ import annotations

import re
from typing import Literal

from windlass.connectors.options import DestinationOptions, DevServiceOptions, Mode, SourceOptions
from windlass.options import OneOrMany

__all__ = ["OURS", "Destination", "DevService", "Source", "is_reserved", "refused_name"]

OURS = ("windlass_loads", "windlass_writers")
"""Our own measurements: what was loaded, and who is loading."""

_RESERVED = ("time", "_time", "_measurement", "_field", "_start", "_stop", "_value")


class Source(SourceOptions):
    """A measurement, or what a query gives. `time`, each tag and each field is a column."""

    measurement: str | None = None
    """The name of the measurement."""

    query: str | None = None
    """A SELECT in InfluxQL instead of a measurement."""

    def refusal(self) -> str | None:
        if (self.measurement is None) == (self.query is None):
            return "a connection needs exactly one of `measurement` and `query`"
        return None


class Destination(DestinationOptions):
    """A measurement. Each row becomes a point, which its tags and its time identify: written again, it is still one."""

    measurement: str
    """The name of the measurement; it is created when it is missing."""

    mode: Mode
    """`append` adds points, and overwrites those that are there already; `replace` and `delete_insert` delete points
    first, which InfluxDB 3 cannot."""

    tags: OneOrMany[str] = ()
    """Columns that become tags. What is NULL has no tag."""

    fields: OneOrMany[str] = ()
    """Columns that become fields: if they are left out, all that are neither tags nor the time. If they are given, other
    columns are not written."""

    time: str | None = None
    """The column with the time of a point: a date, a time (in UTC where it has no zone), or a whole number of
    `precision`s since 1970. Without one it is the start of the run's data interval; it is never the clock's."""

    precision: Literal["ns", "us", "ms", "s"] = "ns"
    """How exact times are kept. One that is finer is a bad row."""

    interval: str | None = None
    """For `delete_insert`: the column that is `time`, too."""

    def refusal(self) -> str | None:
        named = [*self.tags, *self.fields, *([self.time] if self.time else [])]
        if twice := [name for name in dict.fromkeys(named) if named.count(name) > 1]:
            return f"{twice[0]!r} can be only one of tag, field and time"
        if wrong := self._refused_name():
            return wrong
        if self.mode == "merge":
            return "`mode: append` merges already: a point with the same tags and time is overwritten"
        if self.mode == "delete_insert" and (self.time is None or self.interval != self.time):
            return (
                "`mode: delete_insert` goes by the time of points: `interval` is the column that `time` names"
            )
        return super().refusal()

    def _refused_name(self) -> str | None:
        if self.measurement in OURS or self.measurement.startswith("#"):
            return f"a measurement cannot be called {self.measurement!r}"
        if why := refused_name(self.measurement):
            return f"the measurement {self.measurement!r} {why}"
        return None


def refused_name(name: str) -> str | None:
    """Why line protocol cannot say a name; None if it can."""
    if not name:
        return "has no name"
    if re.search(r"[\n\r\0]|\\([,= ]|$)", name):
        what = "a line end, or a backslash before a comma, a space, `=` or the end"
        return f"has {what}, which line protocol cannot say"
    return None


def is_reserved(name: str) -> bool:
    """Whether InfluxDB has another meaning for a tag or field of that name."""
    return name in _RESERVED


class DevService(DevServiceOptions):
    """A server that stands in for InfluxDB: one of version 1, without a password."""

    image: str = "influxdb:1.8"
    """The image of its container, where no `influxd` of version 1 is on this machine's PATH."""

    init: OneOrMany[str] = ()
    """Files of the project in line protocol; they are written, in this order, when the dev service is new."""

    def files(self) -> tuple[str, ...]:
        return self.init

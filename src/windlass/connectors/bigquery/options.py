"""The keys of a table in `from:` and `to:`."""

from __future__ import annotations

from typing import Annotated, Literal

from windlass.connectors.options import InitOptions, TableDestination
from windlass.connectors.options import TableSource as Source
from windlass.options import Minimum, OneOrMany, Options

__all__ = ["Destination", "DevService", "Partition", "Ranges", "Source"]

_MOST_CLUSTERED = 4  # https://cloud.google.com/bigquery/docs/clustered-tables#limitations


class Ranges(Options):
    """Ranges of a whole number."""

    start: int
    """The first number of the first one."""

    end: int
    """The first number past the last one."""

    step: Annotated[int, Minimum(1)]
    """How many numbers a partition has."""


class Partition(Options):
    """How a new table is partitioned: by a date or time, or by ranges of a whole number."""

    by: str
    """The column."""

    per: Literal["hour", "day", "month", "year"] = "day"
    """For a date or time: how long a partition is."""

    ranges: Ranges | None = None
    """For a whole number: which ranges there are."""

    require_filter: bool = False
    """Whether a query has to say, by this column, which partitions it is about."""


class Destination(TableDestination):
    """A table, as `name` or `dataset.name`."""

    partition: Partition | None = None
    """How the table is partitioned when it is made. One that is there has to be partitioned so already."""

    cluster: OneOrMany[str] = ()
    """The columns that it is clustered by when it is made, up to four."""

    null_arrays: Literal["refuse", "empty"] = "refuse"
    """BigQuery has no arrays that are NULL, and would make an empty one of it. Such a row is bad, unless that is wanted."""

    def refusal(self) -> str | None:
        if len(self.cluster) > _MOST_CLUSTERED:
            return f"a table can be clustered by {_MOST_CLUSTERED} columns at most"
        if self.table.replace("`", "").rpartition(".")[2].startswith("_windlass"):
            return f"a table cannot be called {self.table!r}"
        if self.partition is not None and self.partition.require_filter:
            return self.refusal_by_filter(self.partition.by) or super().refusal()
        return super().refusal()

    def refusal_by_filter(self, column: str) -> str | None:
        """Why a load cannot be written into a table all of whose queries need a condition on that column; None if it can."""
        if self.mode == "merge":
            return "`mode: merge` looks for keys in all partitions, and the table demands a condition on one column"
        if self.mode == "delete_insert" and self.interval != column:
            return f"`interval` is not {column!r}, on which the table demands a condition"
        return None


class DevService(InitOptions):
    """An emulator that stands in for BigQuery: `bqemulator`, if it is on this machine's PATH."""

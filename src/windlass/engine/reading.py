"""What of the source a copy reads, and whether the destination can be written so."""

from __future__ import annotations

from collections.abc import Sequence

from windlass.connectors.destination import Destination, Load
from windlass.connectors.ends import Interval
from windlass.connectors.rows import Column
from windlass.connectors.source import IntervalOf, Reading, Relation, Since
from windlass.engine.job import Job
from windlass.errors import Code, FatalError, did_you_mean

__all__ = ["check_incremental", "check_mode", "interval_left", "reading_of"]

_MOMENTS = ("DATE", "TIMESTAMP")
"""How the types of dates and times begin. Some databases have text for them, in ISO 8601."""


def reading_of(job: Job, load: Load) -> Reading:
    """What this load is about. Raises FatalError when the run has no interval."""
    interval = None
    if job.copy.destination.mode == "delete_insert":
        name = str(job.copy.destination.interval)
        sources = {column.name: column.source for column in job.copy.select}
        interval = IntervalOf(sources.get(name, name), _interval(job))
    part = job.part if job.part is not None and job.part.name else None
    named = frozenset(column.source for column in job.copy.select) or None
    return Reading(
        named=named,
        part=part,
        interval=interval,
        since=_since(job, load),
        adds=job.copy.destination.mode in ("append", "merge"),
    )


def _since(job: Job, load: Load) -> Since | None:
    wanted = job.copy.incremental
    if wanted is None:
        return None
    return Since(
        last=load.last_cursor,
        cursor=wanted.cursor,
        lookback=wanted.lookback,
        nulls=wanted.nulls,
        rereads=job.copy.destination.mode == "merge",
    )


def check_mode(job: Job, destination: Destination) -> None:
    """Raise FatalError for a mode that the destination does not have."""
    modes, mode = destination.traits.modes, job.copy.destination.mode
    if mode not in modes:
        known = ", ".join(f"`{mode}`" for mode in sorted(modes))
        raise FatalError(f"the destination cannot be written with `mode: {mode}`", hint=f"it knows {known}")


def check_incremental(relation: Relation, reading: Reading) -> None:
    """Raise FatalError when the rows would not be only the new ones."""
    if reading.since is not None and not relation.has_since:
        hint = "without `incremental` it is read whole"
        raise FatalError(f"{relation.name} cannot tell which of its rows are new", hint=hint)


def interval_left(
    job: Job, relation: Relation, reading: Reading, columns: Sequence[Column]
) -> IntervalOf | None:
    """The interval that the rows must still be looked at for; `columns` are what they are written to.

    Raises FatalError when none of them can be compared with an interval.
    """
    if reading.interval is None:
        return None
    name, types = str(job.copy.destination.interval), {column.name: column.type for column in columns}
    if name not in types:
        hint = did_you_mean(name, types)
        raise FatalError(
            f"`interval` goes by the column {name!r}, which is not written", hint=hint, code=Code.NO_COLUMN
        )
    kind = types[name]
    if not kind.startswith(_MOMENTS) and (kind != "VARCHAR" or reading.target is None):
        hint = "say what it is in `select`, such as {type: date}, or make the table before"
        said = "text" if kind == "VARCHAR" else kind.lower()
        raise FatalError(f"`interval` needs a date or time, and {name!r} is {said}", hint=hint)
    return None if relation.has_interval else IntervalOf(name, reading.interval.interval)


def _interval(job: Job) -> Interval:
    if job.interval is None or job.interval[0] >= job.interval[1]:
        raise FatalError(
            "`mode: delete_insert` needs a data interval, and this run has none",
            hint="give the pipeline a schedule, and run it with --logical-date",
            code=Code.NO_DATA_INTERVAL,
        )
    return job.interval

"""What of the source a copy reads, and whether the destination can be written so."""

from __future__ import annotations

from windlass.connectors.destination import Destination, Load
from windlass.connectors.ends import Interval
from windlass.connectors.source import IntervalOf, Reading
from windlass.engine.job import Job
from windlass.errors import Code, FatalError

__all__ = ["check_mode", "reading_of"]


def reading_of(job: Job, load: Load) -> Reading:
    """The part, interval and cursor of this load. Raises FatalError when the run has no interval."""
    interval = None
    if job.copy.destination.mode == "delete_insert":
        interval = IntervalOf(str(job.copy.destination.interval), _interval(job))
    cursor = job.copy.cursor
    part = job.part if job.part is not None and job.part.name else None
    after = load.last_cursor if cursor is not None else None
    return Reading(part=part, interval=interval, cursor=cursor, after=after)


def check_mode(job: Job, destination: Destination) -> None:
    """Raise FatalError for a mode that the destination does not have."""
    modes, mode = destination.traits.modes, job.copy.destination.mode
    if mode not in modes:
        known = ", ".join(f"`{mode}`" for mode in sorted(modes))
        raise FatalError(f"the destination cannot be written with `mode: {mode}`", hint=f"it knows {known}")


def _interval(job: Job) -> Interval:
    if job.interval is None or job.interval[0] >= job.interval[1]:
        raise FatalError(
            "`mode: delete_insert` needs a data interval, and this run has none",
            hint="give the pipeline a schedule, and run it with --logical-date",
            code=Code.NO_DATA_INTERVAL,
        )
    return job.interval

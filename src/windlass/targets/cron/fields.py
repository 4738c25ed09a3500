"""A schedule as the numbers of its five fields, for whoever writes them in words of his own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from windlass.plan.ticks import PRESETS

__all__ = ["Fields", "Numbers", "fields_of"]

Numbers: TypeAlias = tuple[int, ...] | None
"""Those that a field names, ascending; None for every one."""


@dataclass(frozen=True)
class Fields:
    """When a schedule fires. Where both kinds of days are given, a day of either fires."""

    minutes: Numbers
    hours: Numbers
    days: Numbers
    months: Numbers
    weekdays: Numbers
    """From 0, Sunday, to 6."""


def fields_of(schedule: str) -> Fields | None:
    """The fields of a valid schedule; None for one that only some crons know, such as the last day of a month."""
    from croniter import croniter

    expanded, nth_weekdays = croniter.expand(PRESETS.get(schedule, schedule))
    if nth_weekdays or any("l" in field for field in expanded):
        return None
    minutes, hours, days, months, weekdays = (
        None if "*" in field or len(field) == size else tuple(field)
        for field, size in zip(expanded, (60, 24, 0, 12, 0), strict=True)
    )
    if len(days or ()) == 31 or len(weekdays or ()) == 7:  # every day is a day of either kind
        days = weekdays = None
    return Fields(minutes, hours, days, months, weekdays)

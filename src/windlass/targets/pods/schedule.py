"""Cron expressions, as Kubernetes and Argo read them: five plain fields, in which Sunday is 0."""

from __future__ import annotations

import re
from collections.abc import Iterable

from windlass.plan.ticks import PRESETS

__all__ = ["NEVER", "cron_of"]

NEVER = "0 0 31 2 *"
"""A schedule has to be said also of what only people start."""

_PLAIN = re.compile(r"[0-9a-z*/,?-]+", re.IGNORECASE)
_WORDS = re.compile(r"[a-z]+", re.IGNORECASE)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


def cron_of(schedule: str) -> str | None:
    """The expression; None where Kubernetes has none that means the same."""
    *others, month, weekday = PRESETS.get(schedule, schedule).split()
    weekday = ",".join(map(_with_sunday_first, weekday.split(",")))
    fields = (*((field, ()) for field in others), (month, _MONTHS), (weekday, _DAYS))
    if "7" in weekday or not all(_is_plain(field, words) for field, words in fields):
        return None
    return " ".join((*others, month, weekday))


def _is_plain(field: str, words: Iterable[str]) -> bool:
    said = {word.lower() for word in _WORDS.findall(field)}
    return _PLAIN.fullmatch(field) is not None and said <= set(words)


def _with_sunday_first(part: str) -> str:
    """A part of the field of weekdays, without 7, which is Sunday too."""
    if part in ("7", "0-7", "1-7"):
        return "0" if part == "7" else "0-6"
    return f"{part[0]}-6,0" if re.fullmatch(r"[2-6]-7", part) else part

"""When a pipeline runs: by time, or when others have written its assets."""

from __future__ import annotations

from windlass.errors import Code
from windlass.plan.compiler.draft import Draft
from windlass.plan.compiler.written import Written
from windlass.plan.schedule import check_schedule, check_timezone

__all__ = ["schedule_of"]


def schedule_of(draft: Draft, written: Written | None) -> tuple[str, tuple[str, ...]]:
    """The schedule by time (`none` if there is none), and the one by data; `written` is None when it cannot be known."""
    spec, notes = draft.spec, draft.notes
    schedule = spec.schedule if isinstance(spec.schedule, str) else "none"
    assets = () if isinstance(spec.schedule, str) else tuple(spec.schedule.assets)
    if wrong := check_schedule(schedule):
        notes.problem(("schedule",), Code.INVALID_SCHEDULE, *wrong)
    if wrong := check_timezone(spec.timezone):
        notes.problem(("timezone",), Code.UNKNOWN_TIMEZONE, *wrong)
    if spec.catchup and spec.start is None and not draft.file.lacks("start"):
        message = "`catchup` makes up for what was missed since `start`, which is not there"
        notes.problem(("catchup",), Code.CATCHUP_WITHOUT_START, message, "say with `start` since when")
    for i, name in enumerate(assets):
        if written is not None and not written.may_have(name):
            hint = notes.near(name, written.assets)
            message = f"no task of the project writes {name!r}"
            notes.problem(("schedule", "assets", i), Code.UNKNOWN_ASSET, message, hint)
    return schedule, assets

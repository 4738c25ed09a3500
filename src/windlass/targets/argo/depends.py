"""Trigger rules as the `depends` of a task: what must have become of those before it."""

from __future__ import annotations

from windlass.plan.model import Task, TriggerRule
from windlass.targets.pods.names import dns_name

__all__ = ["depends_of"]

_RULES: dict[TriggerRule, tuple[str, str]] = {
    "all_success": ("{0}", " && "),
    "all_failed": ("({0}.Failed || {0}.Errored)", " && "),
    "all_done": (
        "({0}.Succeeded || {0}.Failed || {0}.Errored || {0}.Skipped || {0}.Omitted)",
        " && ",
    ),
    "one_success": ("{0}.Succeeded", " || "),
    "one_failed": ("{0}.Failed || {0}.Errored", " || "),
    "none_failed": ("({0}.Succeeded || {0}.Skipped || {0}.Omitted)", " && "),
}


def depends_of(task: Task) -> str:
    """The expression, and what it uses must be up; empty for a task that waits for nothing."""
    of_one, between = _RULES[task.trigger_rule]
    needed = between.join(of_one.format(dns_name(name)) for name in task.needs)
    used = " && ".join(map(dns_name, task.uses))
    if not needed or not used:
        return needed or used
    return f"({needed}) && {used}" if between == " || " else f"{needed} && {used}"

"""A plan as text for a terminal: every task on a line of its own, every edge to be seen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from windlass.drawing.edges import is_service, layers_of
from windlass.drawing.lanes import lanes
from windlass.plan.model import Plan, Task

__all__ = ["text"]

_WIDEST = 10
_LINE = 100


def text(plan: Plan) -> str:
    """The tasks with lanes that lead from one to the next; by layers when there are too many lanes."""
    services = is_service(plan)
    needs = {task.name: (*task.needs, *task.uses) for task in plan.tasks}
    marks = {name: "◇" if services[name] else "●" for name in needs}
    rows = lanes(needs, marks, _WIDEST)
    lines = _by_layers(plan, marks) if rows is None else _with_lanes(plan, [(r.gutter, r.task) for r in rows])
    title = f"{plan.pipeline}  {_one_line(plan.description)}".rstrip()
    return "\n".join([title, "", *lines])


def _with_lanes(plan: Plan, rows: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    width = max((len(gutter) for gutter, _ in rows), default=0)
    columns = _Columns(plan)
    for gutter, name in rows:
        yield gutter if name is None else f"{gutter.ljust(width)}  {columns.of(plan.task(name))}".rstrip()


def _by_layers(plan: Plan, marks: dict[str, str]) -> Iterator[str]:
    layers = layers_of(plan)
    columns = _Columns(plan)
    for number, names in enumerate(layers):
        before = layers[number - 1] if number else []
        yield f"{'' if number == 0 else chr(10)}layer {number + 1} of {len(layers)}"
        for task in map(plan.task, names):
            line = f"  {marks[task.name]} {columns.of(task, _named(task.needs, before, number))}"
            indent = " " * (columns.indent + 4)
            yield textwrap.fill(
                line, _LINE, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
            )


def _named(needs: Sequence[str], before: Sequence[str], number: int) -> str:
    if not needs:
        return ""
    whole = len(needs) > 2 and set(needs) == set(before)
    return "← " + (f"everything in layer {number}" if whole else ", ".join(needs))


class _Columns:
    """What is said of a task: its name, kind, what it needs and uses, and what it is for."""

    def __init__(self, plan: Plan) -> None:
        self._names = max((len(task.name) for task in plan.tasks), default=0)
        self._kinds = max((len(task.kind) for task in plan.tasks), default=0)
        self.indent = self._names + self._kinds + 4

    def of(self, task: Task, needs: str = "") -> str:
        using = f"uses {', '.join(task.uses)}" if task.uses else ""
        each = f"for each entry of {task.each.of}" if task.each is not None else ""
        rest = "  ".join(part for part in (needs, each, using, _one_line(task.description)) if part)
        return f"{task.name.ljust(self._names)}  {task.kind.ljust(self._kinds)}  {rest}".rstrip()


def _one_line(description: str) -> str:
    words = "".join(c if c.isprintable() else " " for c in description).split()
    return textwrap.shorten(" ".join(words), 72, placeholder=" …")

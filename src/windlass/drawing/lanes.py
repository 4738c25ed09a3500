"""A DAG as lanes of box-drawing characters, one task below the other, as `git log --graph` does it.

A task's lane comes down from it to the last task that needs it. The tasks stand in such an order that a
chain stays together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

__all__ = ["Row", "lanes"]

_SHAPES = {  # what leaves the middle of a character: up, down, left, right
    "ud": "│", "udr": "├", "udl": "┤", "udlr": "┼",
    "dl": "╮", "dr": "╭", "dlr": "┬", "ul": "╯", "ur": "╰", "ulr": "┴", "lr": "─",
}  # fmt: skip


class Row(Struct, frozen=True):
    """One line: what stands at its left, and the task that the rest is about, if any."""

    gutter: str
    task: str | None = None


def lanes(needs: Mapping[str, Sequence[str]], marks: Mapping[str, str], widest: int) -> list[Row] | None:
    """The rows, each task marked as `marks` says; None when there would be more than `widest` lanes."""
    drawing = _Lanes(needs, marks)
    for name in _depth_first(needs):
        drawing.add(name)
        if len(drawing.columns) > widest:
            return None
    return drawing.rows


def _depth_first(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """The names, each after all that it needs, and as soon as can be after the last of them."""
    missing = {name: len(before) for name, before in needs.items()}
    stack = [name for name in reversed(list(needs)) if not missing[name]]
    order: list[str] = []
    while stack:
        name = stack.pop()
        order.append(name)
        following = [other for other, before in needs.items() if name in before]
        for other in reversed(following):
            missing[other] -= 1
            if not missing[other]:
                stack.append(other)
    return order


class _Lanes(Struct):
    needs: Mapping[str, Sequence[str]]
    marks: Mapping[str, str]
    rows: list[Row] = field(default_factory=list)
    columns: list[str | None] = field(default_factory=list)
    """The task whose lane each column is."""

    _waiting: dict[str, int] = field(default_factory=dict)
    """How many tasks that need it are still to come, by task."""

    _last: int | None = None
    """The column of the task just above, if its lane ended there."""

    def __post_init__(self) -> None:
        self._waiting = dict.fromkeys(self.needs, 0)
        for before in self.needs.values():
            for name in before:
                self._waiting[name] += 1

    def add(self, name: str) -> None:
        joined = [i for i, source in enumerate(self.columns) if source in self.needs[name]]
        ending = {i for i in joined if self._waiting[str(self.columns[i])] == 1}
        at = min(ending) if ending else self._free_column()
        if joined and joined != [at]:
            self.rows.append(Row(self._connectors(at, joined, ending)))
        elif (
            joined or at == self._last
        ):  # down the lane; or apart, not to look as if it came from the task above
            self.rows.append(Row(self._line({})))
        for source in self.needs[name]:
            self._waiting[source] -= 1
        self._close(ending)
        self._put(at, name)
        self.rows.append(Row(self._line({at: self.marks[name]}), name))
        self._last = None if self._waiting[name] else at
        if not self._waiting[name]:
            self._close({at})

    def _free_column(self) -> int:
        return self.columns.index(None) if None in self.columns else len(self.columns)

    def _put(self, at: int, name: str) -> None:
        self.columns.extend([None] * (at + 1 - len(self.columns)))
        self.columns[at] = name

    def _close(self, ended: set[int]) -> None:
        self.columns = [None if i in ended else source for i, source in enumerate(self.columns)]
        while self.columns and self.columns[-1] is None:
            self.columns.pop()

    def _line(self, instead: Mapping[int, str]) -> str:
        """The lanes as they go straight down, with something else at some columns."""
        width = max(len(self.columns), *(i + 1 for i in instead), 0)
        return " ".join(
            instead.get(i) or ("│" if i < len(self.columns) and self.columns[i] else " ")
            for i in range(width)
        ).rstrip()

    def _connectors(self, at: int, joined: Sequence[int], ending: set[int]) -> str:
        """The line above a task, on which the lanes of what it needs come together."""
        first, last = min(at, *joined), max(at, *joined)
        cells = []
        for i in range(max(len(self.columns), last + 1)):
            passes = i < len(self.columns) and self.columns[i] is not None
            ways = "u" if i in joined else ""
            ways += "d" if i == at or (i in joined and i not in ending) else ""
            if ways or not passes:
                ways += ("l" if first < i <= last else "") + ("r" if first <= i < last else "")
                cells.append(_SHAPES.get(ways, " "))
            else:
                cells.append("│")
            cells.append("─" if first <= i < last else " ")
        return "".join(cells).rstrip()

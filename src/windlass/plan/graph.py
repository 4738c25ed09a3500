"""The order of a DAG's tasks, and the cycle when there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

__all__ = ["Cycle", "downstream", "order", "upstream"]

_SHOWN = 6  # tasks at either end of a long cycle


class Cycle(Exception):  # noqa: N818 - a finding, turned into a Problem by whoever knows the file
    """Tasks that need each other in a cycle: `path` starts and ends with the same task."""

    def __init__(self, path: list[str]) -> None:
        left_out = len(path) - 2 * _SHOWN
        shown = [*path[:_SHOWN], f"{left_out:,} more", *path[-_SHOWN:]] if left_out > 1 else path
        super().__init__(" → ".join(shown))
        self.path = path


def order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """The names, each after all that it needs, otherwise as they stand. Raises Cycle."""
    position = {name: i for i, name in enumerate(needs)}
    sorter = TopologicalSorter({name: list(before) for name, before in needs.items()})
    try:
        sorter.prepare()
    except CycleError as exc:
        # graphlib lists each task before the one that needs it; we read it as "needs"
        raise Cycle(list(reversed(exc.args[1]))) from exc
    result: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        result.extend(ready)
        sorter.done(*ready)
    return result


def downstream(needs: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """`start` and every task that needs it, directly or not."""
    found = {start}
    for name in order(needs):
        if found.intersection(needs[name]):
            found.add(name)
    return found


def upstream(needs: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """`start` and every task that it needs, directly or not."""
    found, todo = set[str](), [start]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(needs[name])
    return found

"""Where the boxes of a layered DAG go, and the lines between them. Pure arithmetic.

After Sugiyama: the layers are columns; a line that passes a layer has a slot there, like a box, so no line
crosses a box; a few sweeps sort each layer by the mean of its neighbours' places (the barycentre); then
each slot goes as near to the mean height of its neighbours as the order and the gaps allow, which is an
isotonic regression.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Mapping, Sequence
from math import fsum
from typing import NamedTuple

from msgspec import Struct, field

from windlass.drawing.edges import Edge

__all__ = ["Box", "Layout", "Line", "Point", "place"]

_SWEEPS = 8
_GAP_X, _GAP_Y, _LANE = 56.0, 16.0, 10.0


class Point(NamedTuple):
    x: float
    y: float


class Box(Struct, frozen=True):
    """Where a task is. `x` and `y` are its upper left corner."""

    task: str
    x: float
    y: float
    width: float
    height: float


class Line(Struct, frozen=True):
    """The way of an edge: points two by two, straight across a layer or a box, curved from pair to pair."""

    edge: Edge
    points: tuple[Point, ...]


class Layout(Struct, frozen=True):
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


class Slot(NamedTuple):
    """A place in a layer: of a task, or of the lines from a task that pass by on their way to later layers."""

    task: str
    passing: int | None = None
    """The number of the layer that is passed."""


def place(
    layers: Sequence[Sequence[str]], edges: Sequence[Edge], widths: Mapping[str, float], height: float
) -> Layout:
    """Place tasks of given widths and one height, by layers, from left to right."""
    graph = _Graph.of(layers, edges)
    graph.sort()
    centres = graph.heights({slot: _LANE if slot.passing is not None else height for slot in graph.slots})
    columns: list[Point] = []  # where each column begins and ends
    x = 0.0
    for names in layers:
        columns.append(Point(x, x + max(widths[name] for name in names)))
        x = columns[-1].y + _GAP_X
    boxes = tuple(
        Box(name, start, centres[Slot(name)] - height / 2, end - start, height)
        for (start, end), names in zip(columns, layers, strict=True)
        for name in names
    )
    lines = tuple(_line(edge, graph.layer, columns, centres) for edge in edges)
    bottom = max((box.y + box.height for box in boxes), default=0.0)
    lowest = max((point.y for line in lines for point in line.points), default=0.0)
    return Layout(boxes, lines, columns[-1].y if columns else 0.0, max(bottom, lowest + _LANE / 2))


def _line(
    edge: Edge, layer: Mapping[str, int], columns: Sequence[Point], centres: Mapping[Slot, float]
) -> Line:
    begins, ends = layer[edge.source], layer[edge.target]
    points = [Point(columns[begins].y, centres[Slot(edge.source)])]
    for number in range(begins + 1, ends):
        y = centres[Slot(edge.source, number)]
        points += [Point(columns[number].x, y), Point(columns[number].y, y)]
    points.append(Point(columns[ends].x, centres[Slot(edge.target)]))
    return Line(edge, tuple(points))


class _Graph(Struct):
    """The slots of each layer, in their order, and the links between slots of neighbouring layers."""

    layer: dict[str, int]
    order: list[list[Slot]]
    before: dict[Slot, list[Slot]] = field(default_factory=dict)
    after: dict[Slot, list[Slot]] = field(default_factory=dict)

    @classmethod
    def of(cls, layers: Sequence[Sequence[str]], edges: Sequence[Edge]) -> _Graph:
        layer = {name: number for number, names in enumerate(layers) for name in names}
        graph = cls(layer, [[Slot(name) for name in names] for names in layers])
        for names in layers:
            graph.before.update((Slot(name), []) for name in names)
            graph.after.update((Slot(name), []) for name in names)
        for edge in edges:
            graph._link(edge)
        return graph

    def _link(self, edge: Edge) -> None:
        """Link an edge's ends, by the slots of its source in the layers between: its edges share those."""
        at = Slot(edge.source)
        for number in range(self.layer[edge.source] + 1, self.layer[edge.target]):
            following = Slot(edge.source, number)
            if following not in self.before:
                self.order[number].append(following)
                self.before[following], self.after[following] = [at], []
                self.after[at].append(following)
            at = following
        self.after[at].append(Slot(edge.target))
        self.before[Slot(edge.target)].append(at)

    @property
    def slots(self) -> list[Slot]:
        return [slot for slots in self.order for slot in slots]

    # --- order ---

    def sort(self) -> None:
        """Sort the layers so that few links cross: back and forth, and the best order that was seen."""
        best, fewest = [list(slots) for slots in self.order], self._crossings()
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            forward = sweep % 2 == 0
            for slots in self.order if forward else reversed(self.order):
                self._sort_layer(slots, self.before if forward else self.after)
            if (crossings := self._crossings()) < fewest:
                best, fewest = [list(slots) for slots in self.order], crossings
        self.order = best

    def _sort_layer(self, slots: list[Slot], neighbours: Mapping[Slot, Sequence[Slot]]) -> None:
        place = self._places()
        slots.sort(key=lambda slot: _mean([place[n] for n in neighbours[slot]] or [place[slot]]))

    def _places(self) -> dict[Slot, int]:
        return {slot: place for slots in self.order for place, slot in enumerate(slots)}

    def _crossings(self) -> int:
        """How many pairs of links cross: inversions, counted layer by layer."""
        place, crossings = self._places(), 0
        for slots in self.order:
            ends: list[int] = []
            for slot in slots:
                mine = sorted(place[other] for other in self.after[slot])
                crossings += sum(len(ends) - bisect(ends, end) for end in mine)
                for end in mine:
                    insort(ends, end)
        return crossings

    # --- heights ---

    def heights(self, sizes: Mapping[Slot, float]) -> dict[Slot, float]:
        """The height of each slot's middle: near those of its neighbours, nothing overlapping."""
        centre: dict[Slot, float] = {}
        for slots in self.order:
            centre.update(zip(slots, _stacked(slots, sizes), strict=True))
        both = {slot: [*self.before[slot], *self.after[slot]] for slot in self.slots}
        for neighbours in (self.before, self.after, self.before, self.after, both, both, both):
            for slots in self.order if neighbours is not self.after else reversed(self.order):
                wanted = [_mean([centre[n] for n in neighbours[slot]] or [centre[slot]]) for slot in slots]
                centre.update(zip(slots, _apart(wanted, _stacked(slots, sizes)), strict=True))
        self._straighten(centre, sizes)
        top = min((centre[slot] - sizes[slot] / 2 for slot in self.slots), default=0.0)
        return {slot: round(y - top, 1) for slot, y in centre.items()}

    def _straighten(self, centre: dict[Slot, float], sizes: Mapping[Slot, float]) -> None:
        """Make level what is nearly so: a slot goes to the height of its only neighbour, if there is room."""
        for neighbours in (self.before, self.after, self.before):
            for slots in self.order if neighbours is self.before else reversed(self.order):
                for place, slot in enumerate(slots):
                    wanted = [centre[only] for only in neighbours[slot]]
                    beside = slots[max(place - 1, 0) : place] + slots[place + 1 : place + 2]
                    if (
                        len(wanted) == 1
                        and abs(wanted[0] - centre[slot]) < _LANE + _GAP_Y
                        and all(
                            abs(centre[other] - wanted[0]) >= (sizes[slot] + sizes[other]) / 2 + _GAP_Y
                            for other in beside
                        )
                    ):
                        centre[slot] = wanted[0]


def _stacked(slots: Sequence[Slot], sizes: Mapping[Slot, float]) -> list[float]:
    """The middles of slots that stand one below the other, as near as may be."""
    middles: list[float] = []
    y = 0.0
    for slot in slots:
        middles.append(y + sizes[slot] / 2)
        y += sizes[slot] + _GAP_Y
    return middles


def _apart(wanted: Sequence[float], stacked: Sequence[float]) -> list[float]:
    """The places nearest to those wanted (least squares) that are as far apart as the stacked ones.

    Less their stacked place, they must not fall: pool adjacent violators (Ayer et al., 1955).
    """
    blocks: list[tuple[float, int]] = []  # the sum and the number of values that share a place
    for want, least in zip(wanted, stacked, strict=True):
        total, count = want - least, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            total, count = total + blocks[-1][0], count + blocks[-1][1]
            blocks.pop()
        blocks.append((total, count))
    shifts = [total / count for total, count in blocks for _ in range(count)]
    return [least + shift for least, shift in zip(stacked, shifts, strict=True)]


def _mean(numbers: Sequence[float]) -> float:
    return fsum(numbers) / len(numbers)

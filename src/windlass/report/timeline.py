"""Where each attempt stands in the chart: times become percentages of its width.

A wait in which nothing ran and that is longer than everything that did run (a retry an hour later, a run
taken up the next day) is drawn as a short break, so that the attempts stay visible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from windlass.units import duration

__all__ = ["Break", "Scale", "Span", "Tick"]

_BREAK_WIDTH = 5.0
_MOST_BREAKS = 8
_TICKS = 6
_NEAREST = 7.0  # two labels of the axis are at least that far apart
_NARROWEST = 0.3
_STEPS = (
    *(digit * 10.0**power for power in range(-3, 1) for digit in (1, 2, 5)),
    *(10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0),
    *(3600.0, 7200.0, 10800.0, 21600.0, 43200.0, 86400.0),
)


class Span(NamedTuple):
    """From when to when, in seconds since the run began."""

    start: float
    end: float


class Tick(NamedTuple):
    """A mark of the axis."""

    left: float
    label: str


class Break(NamedTuple):
    """A long wait, drawn short."""

    left: float
    width: float
    label: str


class _Piece(Struct, frozen=True):
    """A stretch of time and where it is drawn."""

    time: Span
    left: float
    right: float
    is_break: bool

    def place(self, moment: float) -> float:
        share = (moment - self.time.start) / ((self.time.end - self.time.start) or 1.0)
        return self.left + (self.right - self.left) * share


class Scale:
    """Turns moments into percentages of the chart's width."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._pieces = list(_pieces(spans))

    def bar(self, span: Span) -> tuple[float, float]:
        """Left edge and width; never too narrow to be seen."""
        left, right = self._place(span.start), self._place(span.end)
        width = max(right - left, _NARROWEST)
        return round(min(left, 100 - width), 3), round(width, 3)

    def ticks(self) -> list[Tick]:
        """Marks at round times."""
        drawn = [piece for piece in self._pieces if not piece.is_break]
        shown = sum(piece.time.end - piece.time.start for piece in drawn)
        step = next((step for step in _STEPS if step * _TICKS >= shown), shown / _TICKS)
        ticks: list[Tick] = []
        for piece in drawn:
            number = -(-piece.time.start // step)
            while (moment := number * step) <= piece.time.end:
                left = round(piece.place(moment), 3)
                if not ticks or left - ticks[-1].left >= _NEAREST:
                    ticks.append(Tick(left, _clock(moment)))
                number += 1
        return ticks

    def breaks(self) -> list[Break]:
        """The waits that are drawn short."""
        return [
            Break(
                round(piece.left, 3),
                round(piece.right - piece.left, 3),
                duration(piece.time.end - piece.time.start),
            )
            for piece in self._pieces
            if piece.is_break
        ]

    def _place(self, moment: float) -> float:
        piece = next((p for p in self._pieces if moment <= p.time.end), self._pieces[-1])
        return min(max(piece.place(moment), 0.0), 100.0)


def _pieces(spans: Sequence[Span]) -> Iterator[_Piece]:
    """The time from 0 to the last end, without a gap, cut where a long wait begins and ends."""
    busy = _united(spans)
    worked = sum(span.end - span.start for span in busy) or 1.0
    waits = [Span(a.end, b.start) for a, b in pairwise([Span(0.0, 0.0), *busy])]
    longest = sorted(waits, key=lambda wait: wait.start - wait.end)[:_MOST_BREAKS]
    breaks = [wait for wait in waits if wait in longest and wait.end - wait.start > worked]
    end = max((span.end for span in busy), default=0.0) or 1.0
    rest = end - sum(wait.end - wait.start for wait in breaks)
    per_second = (100.0 - _BREAK_WIDTH * len(breaks)) / (rest or 1.0)
    left = 0.0
    for stretch, is_break in _stretches(breaks, end):
        right = left + (_BREAK_WIDTH if is_break else (stretch.end - stretch.start) * per_second)
        yield _Piece(stretch, left, right, is_break)
        left = right


def _stretches(breaks: Sequence[Span], end: float) -> Iterator[tuple[Span, bool]]:
    """The time up to the end, in turns what is drawn to scale and what is a break."""
    moment = 0.0
    for wait in breaks:
        if wait.start > moment:
            yield Span(moment, wait.start), False
        yield wait, True
        moment = wait.end
    yield Span(moment, end), False


def _united(spans: Sequence[Span]) -> list[Span]:
    """The stretches in which at least one of the spans is."""
    united: list[Span] = []
    for span in sorted(spans):
        if united and span.start <= united[-1].end:
            united[-1] = Span(united[-1].start, max(united[-1].end, span.end))
        else:
            united.append(span)
    return united


def _clock(seconds: float) -> str:
    """Time since the beginning, as short as it can be said: `1.5 s`, `2 min 30 s`, `1 h`."""
    if seconds < 60:
        return f"{seconds:g} s" if seconds else "0"
    parts, rest = [], round(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])

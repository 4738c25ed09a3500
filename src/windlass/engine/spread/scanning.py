"""Where records begin in a large file of text, found out by looking at its ranges apart.

In CSV a line end within quotes ends no record, and whether a place is within quotes depends on all quotes before it. So a
range is looked at for both cases: where its first record would begin, and whether its quotes would stand where quotes can
stand. When all ranges are known, so is the case of each, by adding up quotes. A file in which a quote stands anywhere else,
such as `5" pipe`, is not cut: readers of CSV do not agree on what such a quote means. In NDJSON a record begins behind
a line end between `}` and `{`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import IO, Any

from msgspec import Struct

from windlass.engine.spread.pieces import Part, SourceFile

__all__ = ["Case", "Range", "Scan", "parts_of", "scan"]

_CHUNK = 4 << 20
_BOM = b"\xef\xbb\xbf"


class Range(Struct, frozen=True):
    """A range of a file to look at."""

    file: SourceFile
    begin: int
    end: int

    delimiter: str | None = None
    """Of CSV; None for NDJSON, which has no quotes to look for."""

    quote: str = '"'


class Case(Struct):
    """What a range is if it begins outside of quotes, or within."""

    begin: int | None = None
    """Where its first record begins, in the file."""

    lines: int = 0
    """Line feeds of the range before that."""

    is_sound: bool = True
    """Whether its quotes stand where quotes can stand."""


class Scan(Struct):
    """What a range has."""

    quotes: int
    lines: int
    outside: Case
    within: Case


def parts_of(scans: Sequence[Scan], size: int, header: str) -> list[Part] | None:
    """The parts of a file by its ranges, in order; None where it cannot be cut."""
    quotes = accumulate((scan.quotes for scan in scans), initial=0)
    lines = list(accumulate((scan.lines for scan in scans), initial=0))
    cases = [scan.within if before % 2 else scan.outside for scan, before in zip(scans, quotes, strict=False)]
    if not all(case.is_sound for case in cases) or sum(scan.quotes for scan in scans) % 2:
        return None
    begins = [(0, 0)]
    for case, before in zip(cases[1:], lines[1:], strict=False):
        if case.begin is not None and begins[-1][0] < case.begin < size:
            begins.append((case.begin, before + case.lines))
    ends = [*(begin for begin, _ in begins[1:]), size]
    return [
        Part(begin, end, before, header if begin else "")
        for (begin, before), end in zip(begins, ends, strict=True)
    ]


def scan(what: Range, file: IO[bytes]) -> Scan:
    """Look through a range of an open file. Holds some megabytes at a time."""
    found = Scan(0, 0, Case(), Case())
    for place, data, before, after in _chunks(file, what):
        _look(found, what, place, data, before, after)
    return found


def _chunks(file: IO[bytes], what: Range) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    """The bytes of the range, each time with where they begin, and the two before and after them."""
    place = what.begin
    while place < what.end:
        first = max(place - 2, 0)
        file.seek(first)
        count = min(_CHUNK, what.end - place)
        data = file.read(place - first + count + 2)
        begin = place - first
        yield place, data[begin : begin + count], data[:begin], data[begin + count :]
        place += count


def _look(found: Scan, what: Range, place: int, data: bytes, before: bytes, after: bytes) -> None:
    import numpy as np

    bytes_ = np.frombuffer(data, np.uint8)
    feeds = np.flatnonzero(bytes_ == ord("\n"))
    quotes = np.flatnonzero(bytes_ == ord(what.quote)) if what.delimiter else np.zeros(0, np.int64)
    if what.delimiter:
        is_lone = _has_lone_returns(data, after)
        opens, closes = _sides(what, place, bytes_, quotes, before, after)
        for case, first in ((found.outside, 0), (found.within, 1)):
            shift = (found.quotes + first) % 2
            case.is_sound &= not is_lone and bool(opens[shift::2].all() and closes[1 - shift :: 2].all())
        parities = (np.searchsorted(quotes, feeds) + found.quotes) % 2
    else:
        parities = np.where(_between_records(data, feeds, before, after), 0, 1)
    for case, parity in ((found.outside, 0), (found.within, 1)):
        ends = np.flatnonzero(parities == parity)
        if case.begin is None and len(ends):
            case.begin = place + int(feeds[ends[0]]) + 1
            case.lines = found.lines + int(ends[0]) + 1
    found.quotes += len(quotes)
    found.lines += len(feeds)


def _sides(what: Range, place: int, data: Any, quotes: Any, before: bytes, after: bytes) -> tuple[Any, Any]:
    """Of each quote, whether it can be the first of a field, or the second of a pair; and whether it can be the last, or the
    first of a pair.
    """
    import numpy as np

    can_be = np.zeros(256, bool)
    can_be[[ord(char) for char in f"{what.delimiter}{what.quote}\r\n"]] = True
    padded = np.concatenate((np.frombuffer(before[-1:], np.uint8), data, np.frombuffer(after[:1], np.uint8)))
    shift = len(before[-1:])
    left = can_be[padded[np.maximum(quotes + shift - 1, 0)]]
    right = can_be[padded[np.minimum(quotes + shift + 1, len(padded) - 1)]]
    if place == 0 and len(quotes):  # the first byte of the file, perhaps behind a byte order mark
        left[0] |= int(quotes[0]) == 0 or (int(quotes[0]) == len(_BOM) and data[:3].tobytes() == _BOM)
    if place + len(data) == what.file.size and len(quotes):
        right[-1] |= int(quotes[-1]) == len(data) - 1
    return left, right


def _has_lone_returns(data: bytes, after: bytes) -> bool:
    """Whether there is a carriage return without a line feed, which ends lines of its own in some files."""
    returns = data.count(b"\r")
    return returns != 0 and returns != data.count(b"\r\n") + (data[-1:] == b"\r" and after[:1] == b"\n")


def _between_records(data: bytes, feeds: Any, before: bytes, after: bytes) -> Any:
    """Whether a line feed stands between `}` and `{`."""
    import numpy as np

    padded = np.frombuffer(b"\0\0" + before[-2:] + data + after[:1] + b"\0", np.uint8)
    at = feeds + 2 + len(before[-2:])
    last = np.where(padded[at - 1] == ord("\r"), padded[at - 2], padded[at - 1])
    return (last == ord("}")) & (padded[at + 1] == ord("{"))

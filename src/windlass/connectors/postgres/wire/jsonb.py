"""Whether a `jsonb` column keeps the JSON texts of a batch as they are, found by whole columns.

A `jsonb` drops all but one of the values of a name that occurs twice in an object, and it refuses more than a parser
of JSON does: the character NUL, numbers of a hundred thousand digits. To ask the server about each text takes as long
as storing it. What is not surely kept is doubted here, and only then is the server asked (`writing/staging.py`).

The texts are JSON to DuckDB, whose parser forgives a comma before a closing bracket, NaN and infinities. So those are
looked for, and not whatever else is not JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from windlass.connectors.postgres.wire.encode import items

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["surely_kept"]

Array: TypeAlias = "np.ndarray[Any, Any]"

_LARGEST = 10 << 20  # bytes of a text; even one of small numbers only is then far from too large for a jsonb
_DEEPEST = 100  # brackets within each other; far from the end of the server's stack
_LONGEST_NUMBER = 10_000  # digits; with an exponent of three digits still far from the end of a numeric
_LONG_NUMBER = re.compile(rb"[0-9.]{%d}" % _LONGEST_NUMBER)
_LONGEST_NAME = 256  # bytes

_QUOTE, _COMMA, _COLON, _BACKSLASH, _OPENING, _CLOSING = b'",:\\{}'
_LOWER = 0x20  # the bit that makes a letter small, and a square bracket a curly one
_WORD = 8  # bytes of a name that are taken at once
_BYTES_OF_WORD = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def surely_kept(column: pa.Array) -> bool:
    """Whether a `jsonb` surely keeps each text of an Arrow column of strings."""
    _, offsets, buffer = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    begin, size = int(ends[0]), int(ends[-1] - ends[0])
    longest = int(np.diff(ends).max(initial=0))
    if size == 0 or longest > _LARGEST:
        return size == 0
    text = buffer.slice(begin, size).to_pybytes() + b" " * _WORD
    if b"\\" in text:
        text = text.replace(b"\\\\", b"__").replace(
            b'\\"', b"__"
        )  # as long as before, and the end of no string
        if b"\\u0000" in text:
            return False
    quoted = np.bitwise_xor.accumulate(np.frombuffer(text, np.uint8) == _QUOTE)
    if quoted[ends[1:] - begin - 1].any():
        return False
    places = np.flatnonzero(~quoted)  # of what is outside strings, and of the quotes behind them
    return _Frame(text, places).keeps(longest)


class _Frame:
    """What is outside the strings of some JSON texts; of each string there is the quote that ends it."""

    def __init__(self, text: bytes, places: Array) -> None:
        self._text, self._codes = text, np.frombuffer(text, np.uint8)
        self._places, self._signs = places, self._codes[places]
        self._lower = self._signs | _LOWER

    def keeps(self, longest: int) -> bool:
        """Whether there is nothing that a jsonb refuses or drops, in texts of up to so many bytes."""
        return self._is_strict() and self._has_usual_numbers(longest) and self._has_unique_names()

    def _is_strict(self) -> bool:
        lower = self._lower
        has_infinity = (lower == ord("i")).any()
        has_nan = (lower[1:][lower[:-1] == ord("n")] != ord("u")).any()  # and not null
        before_closing = self._signs[:-1][lower[1:] == _CLOSING]
        return not (
            has_infinity or has_nan or (before_closing <= ord(" ")).any() or (before_closing == _COMMA).any()
        )

    def _has_usual_numbers(self, longest: int) -> bool:
        digit = self._signs - ord("0") < 10
        exponents = np.flatnonzero(digit[:-_WORD] & (self._lower[1 : 1 - _WORD] == ord("e")))
        if (
            digit[exponents + 3] & digit[exponents + 4] & digit[exponents + 5]
        ).any():  # three, or a sign before them
            return False
        return longest < _LONGEST_NUMBER or _LONG_NUMBER.search(self._signs.tobytes()) is None

    def _has_unique_names(self) -> bool:
        bracket, colon = (self._lower == _OPENING) | (self._lower == _CLOSING), self._signs == _COLON
        marks = np.flatnonzero(bracket | colon)
        is_colon = colon[marks]
        at_colons = np.flatnonzero(is_colon)
        colons, brackets = marks[at_colons], marks[np.flatnonzero(~is_colon)]
        opening = self._lower[brackets] == _OPENING
        depth = np.cumsum(np.where(opening, 1, -1))
        if depth.max(initial=0) > _DEEPEST:
            return False
        if (self._signs[colons - 1] != _QUOTE).any():  # there are spaces between
            return False
        begins, ends = self._places[colons - 2] + 2, self._places[colons - 1]
        last_bracket = at_colons - np.arange(len(colons)) - 1
        return self._are_unique(begins, ends, _within(opening, depth)[last_bracket])

    def _are_unique(self, begins: Array, ends: Array, within: Array) -> bool:
        """Whether no two names of one object are the same. Those with something escaped in them may be."""
        lengths = ends - begins
        longest = int(lengths.max(initial=0))
        if longest > _LONGEST_NAME or self._has_backslash(begins, ends):
            return False
        keys = within.astype(np.uint64) * _SPREAD
        words = items(self._codes, _WORD)
        for at in range(0, longest, _WORD):
            longer = np.flatnonzero(lengths > at)
            word = (
                words[begins[longer] + at].view("<u8")
                & _BYTES_OF_WORD[np.minimum(lengths[longer] - at, _WORD)]
            )
            keys[longer] = (keys[longer] ^ word) * _SPREAD
        keys.sort()
        return not (keys[1:] == keys[:-1]).any()

    def _has_backslash(self, begins: Array, ends: Array) -> bool:
        if b"\\" not in self._text:
            return False
        places = np.flatnonzero(self._codes == _BACKSLASH)
        return bool((np.searchsorted(places, begins) < np.searchsorted(places, ends)).any())


def _within(opening: Array, depth: Array) -> Array:
    """The bracket that what follows each bracket is within, of brackets and how many are open behind each."""
    within = np.zeros(len(depth), np.int64)
    for level in range(1, int(depth.max(initial=0)) + 1):
        here = np.flatnonzero(depth == level)
        within[here] = np.maximum.accumulate(np.where(opening[here], here, 0))
    return within

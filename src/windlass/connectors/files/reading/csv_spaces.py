"""Spaces between a delimiter and a quote, as in `1, "x"`, which DuckDB's reader drops without a word.

By RFC 4180 spaces are part of a field, and a field that does not begin with a quote has none. Nobody knows what such a
file means but whoever wrote it.
"""

from __future__ import annotations

__all__ = ["Spaces"]

_HELD = 1024  # bytes of a long line


class Spaces:
    """Looks for them in the bytes of one file, given piece by piece."""

    def __init__(self, delimiter: str, quote: str) -> None:
        self._quote = quote.encode()
        self._ends = (delimiter.encode(), b"\r", b"\n")
        self._signs = (self._quote + b" ", b" " + self._quote)
        self._held, self._at, self._quoted = b"\n", -1, False

    def find(self, piece: bytes, *, may_have: bool, is_open: bool) -> int | None:
        """Where in the file the first ones are. `may_have` says whether there is a space beside a quote in the piece,
        and `is_open` whether its end is inside quotes.
        """
        may_have = may_have or self._is_undecided()
        data = self._held + piece
        found = self._in(data) if may_have else None
        if found is None:
            keep = min(max(data.rfind(b"\n"), 0), len(data) - 1)
            keep = max(keep, len(data) - _HELD)
            self._quoted = is_open ^ (data.count(self._quote, keep) % 2 == 1)
            self._held, self._at = data[keep:], self._at + keep
        return found

    def find_at_end(self) -> int | None:
        """The same, once all pieces were given: the end of the file is that of a field, too."""
        return self._in(self._held + b"\n") if self._has_sign(self._held) else None

    def find_in(self, data: bytes) -> int | None:
        """The same in a whole file."""
        return self._in(b"\n" + data + b"\n") if self._has_sign(data) else None

    def _is_undecided(self) -> bool:
        """Whether spaces behind a quote go on, perhaps to a delimiter, in what comes next."""
        quote = self._held.rfind(self._signs[0])
        return quote >= 0 and len(self._held[quote + 1 :].lstrip(b" ")) < len(self._ends[0])

    def _has_sign(self, data: bytes) -> bool:
        return any(sign in data for sign in self._signs)

    def _in(self, data: bytes) -> int | None:
        """Beside quotes that open or close a field: of two in a row, which stand for one, the first closes and the
        second opens, and no space is between them."""
        import numpy as np

        codes = np.frombuffer(data, np.uint8)
        at = np.flatnonzero(codes == ord(self._quote))
        opens = (np.arange(len(at)) + self._quoted) % 2 == 0
        beside = np.where(opens, at - 1, np.minimum(at + 1, len(data) - 1))
        spaced = codes[beside] == ord(" ")
        before = (self._before(data, int(quote)) for quote in at[spaced & opens])
        behind = (self._behind(data, int(quote)) for quote in at[spaced & ~opens])
        found = [next((place for place in places if place is not None), None) for places in (before, behind)]
        return min((self._at + place for place in found if place is not None), default=None)

    def _before(self, data: bytes, quote: int) -> int | None:
        """Where the spaces before a quote begin, if the field does so, too."""
        begin = quote
        while data[begin - 1 : begin] == b" ":
            begin -= 1
        return begin if data.endswith(self._ends, 0, begin) else None

    def _behind(self, data: bytes, quote: int) -> int | None:
        """Where the spaces behind a quote begin, if the field ends with them."""
        end = quote + 1
        while data[end : end + 1] == b" ":
            end += 1
        return quote + 1 if data.startswith(self._ends, end) else None

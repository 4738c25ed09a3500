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
        """Outside quotes, where every other part between two quotes is; of two in a row, which stand for one, nothing is
        between them.
        """
        parts = data.split(self._quote)
        for i in range(int(self._quoted), len(parts), 2):
            part = parts[i]
            if i > 0 and part.startswith(b" ") and part.lstrip(b" ").startswith(self._ends):
                return self._place(parts, i)
            if part.endswith(b" ") and i < len(parts) - 1:
                before = part.rstrip(b" ")
                if before.endswith(self._ends):
                    return self._place(parts, i) + len(before)
        return None

    def _place(self, parts: list[bytes], number: int) -> int:
        """Where in the file a part begins."""
        return self._at + sum(map(len, parts[:number])) + number

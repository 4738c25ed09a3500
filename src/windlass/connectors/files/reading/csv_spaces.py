"""Spaces between a delimiter and a quote, as in `1, "x"`, which DuckDB's reader drops without a word.

By RFC 4180 spaces are part of a field, and a field that does not begin with a quote has none. Nobody knows what such a
file means but whoever wrote it.
"""

from __future__ import annotations

import re

__all__ = ["Spaces"]

_HELD = 1024  # bytes of a long line


class Spaces:
    """Looks for them in the bytes of one file, given piece by piece."""

    def __init__(self, delimiter: str, quote: str) -> None:
        self._quote = quote.encode()
        ends = rf"[{re.escape(delimiter)}\r\n]".encode()
        mark = re.escape(self._quote)
        self._signs = (self._quote + b" ", b" " + self._quote)
        self._pattern = re.compile(b"(?<=%s) +(?=%s)|(?<=%s) +(?=%s)" % (ends, mark, mark, ends))
        self._held, self._at, self._quoted = b"\n", -1, 0

    def find(self, piece: bytes, *, is_last: bool = False) -> int | None:
        """Where in the file the first ones are."""
        data = self._held + piece + b"\n" * is_last
        found = self._in(data) if any(sign in data for sign in self._signs) else None
        if found is None:
            keep = min(max(data.rfind(b"\n"), 0), len(data) - 1)
            keep = max(keep, len(data) - _HELD)
            self._quoted ^= data.count(self._quote, 0, keep) % 2
            self._held, self._at = data[keep:], self._at + keep
        return found

    def _in(self, data: bytes) -> int | None:
        counted = quotes = 0
        for match in self._pattern.finditer(data):
            quotes += data.count(self._quote, counted, match.start())
            counted = match.start()
            if (quotes + self._quoted) % 2 == 0:
                return self._at + match.start()
        return None

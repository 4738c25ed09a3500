"""What is inside quotes in the bytes of a CSV file, found for 64 bytes at a time.

A bit for each byte says whether it is a quote, and one whether an odd number of quotes has come so far: then it is inside.
So every question about quotes is some operations on words, and no quote is looked at by itself (after Langdale and
Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Quotes", "Seen"]

Words: TypeAlias = "np.ndarray[Any, Any]"

_BITS = 64
_TOP = _BITS - 1


class Seen(NamedTuple):
    """What a piece of a file has: line ends inside quotes, and spaces before one that opens or behind one that closes."""

    line_ends: bool
    spaces: bool


class Quotes:
    """Goes through one file, piece by piece. `open` says whether what comes next is inside quotes."""

    def __init__(self, quote: str) -> None:
        self.open = False
        self._quote, self._last = quote.encode(), b""

    def look(self, piece: bytes) -> Seen:
        """Look at the next piece."""
        if self._quote in piece:
            seen = self._look_at_quotes(piece)
        else:
            seen = Seen(self.open and (b"\n" in piece or b"\r" in piece), self._is_behind_quote(piece))
        self._last = piece[-1:] or self._last
        return seen

    def _is_behind_quote(self, piece: bytes) -> bool:
        return not self.open and self._last == self._quote and piece.startswith(b" ")

    def _look_at_quotes(self, piece: bytes) -> Seen:
        import numpy as np

        codes = np.frombuffer(piece + bytes(-len(piece) % _BITS), np.uint8)
        quotes, spaces = _words(codes == ord(self._quote)), _words(codes == ord(" "))
        inside = _odd_so_far(quotes, is_open=self.open)
        line_ends = codes == ord("\n")
        if b"\r" in piece:
            line_ends |= codes == ord("\r")
        before, behind = spaces << 1, spaces >> 1
        before[1:] |= spaces[:-1] >> _TOP
        before[0] |= self._last == b" "
        behind[:-1] |= spaces[1:] << _TOP
        spaced = (quotes & (inside & before | ~inside & behind)).any() or self._is_behind_quote(piece)
        self.open = bool(inside[-1] >> _TOP)
        return Seen(bool((_words(line_ends) & inside).any()), bool(spaced))


def _words(is_so: Words) -> Words:
    """A bit for each byte, the first one lowest."""
    import numpy as np

    return np.packbits(is_so, bitorder="little").view("<u8")


def _odd_so_far(bits: Words, *, is_open: bool) -> Words:
    """Of each bit whether those up to it are odd in number."""
    import numpy as np

    odd = bits.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        odd ^= odd << shift
    ends = np.bitwise_xor.accumulate((odd >> _TOP).astype(bool))
    odd[1:] ^= np.where(ends[:-1], np.uint64(2**_BITS - 1), np.uint64(0))
    return ~odd if is_open else odd

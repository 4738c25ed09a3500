"""What is inside quotes in the bytes of a CSV file, found for 64 bytes at a time where the file is large.

A bit for each byte says whether it is a quote, and one whether an odd number of quotes has come so far: then it is inside.
So every question about quotes is some operations on words, and no quote is looked at by itself (after Langdale and
Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1.1). Numpy does it, and to import numpy takes as long as
to take 40 MB apart at their quotes; so the first megabytes are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Quotes", "Seen"]

Words: TypeAlias = "np.ndarray[Any, Any]"

_BITS = 64
_TOP = _BITS - 1
_BEGINNING = 8 << 20  # bytes


class Seen(NamedTuple):
    """What a piece of a file has: line ends inside quotes, and spaces before one that opens or behind one that closes."""

    line_ends: bool
    spaces: bool


class Quotes:
    """Goes through one file, piece by piece. `open` says whether what comes next is inside quotes."""

    def __init__(self, quote: str) -> None:
        self.open = False
        self._quote, self._last = quote.encode(), b""
        self._left = _BEGINNING
        self._answers: Words | None = None

    def look(self, piece: bytes) -> Seen:
        """Look at the next piece."""
        if self._quote not in piece:
            seen = Seen(self.open and _has_line_end(piece), self._is_behind_quote(piece))
        elif self._left > 0:
            seen = self._look_at_parts(piece)
        else:
            seen = self._look_at_words(piece)
        self._left -= len(piece)
        self._last = piece[-1:] or self._last
        return seen

    def _is_behind_quote(self, piece: bytes) -> bool:
        return not self.open and self._last == self._quote and piece.startswith(b" ")

    def _look_at_parts(self, piece: bytes) -> Seen:
        quote, was_open, parts = self._quote, self.open, piece.split(self._quote)
        inside, outside = b"".join(parts[not was_open :: 2]), quote.join(parts[was_open::2])
        self.open = was_open ^ (len(parts) % 2 == 0)
        around = (quote if was_open else self._last) + outside + (quote if self.open else b"")
        return Seen(_has_line_end(inside), b" " + quote in around or quote + b" " in around)

    def _look_at_words(self, piece: bytes) -> Seen:
        import numpy as np

        codes = np.frombuffer(piece + bytes(-len(piece) % _BITS), np.uint8)
        quotes, spaces, line_ends = (self._words(codes, sign) for sign in (self._quote, b" ", b"\n"))
        if b"\r" in piece:
            line_ends |= self._words(codes, b"\r")
        inside = _odd_so_far(quotes, is_open=self.open)
        spaced = self._is_spaced(quotes, spaces, inside) or self._is_behind_quote(piece)
        self.open = bool(inside[-1] >> _TOP)
        line_ends &= inside
        return Seen(bool(line_ends.any()), spaced)

    def _words(self, codes: Words, sign: bytes) -> Words:
        """A bit for each byte, the first one lowest: whether it is that one."""
        import numpy as np

        if self._answers is None or len(self._answers) < len(codes):
            self._answers = np.empty(
                len(codes), bool
            )  # kept: it takes as long to find room for them as to answer
        is_so = np.equal(codes, ord(sign), out=self._answers[: len(codes)])
        return np.packbits(is_so, bitorder="little").view("<u8")

    def _is_spaced(self, quotes: Words, spaces: Words, inside: Words) -> bool:
        """Whether there is a space before a quote that opens, or behind one that closes, in the same piece."""
        before, behind = spaces << 1, spaces >> 1
        before[1:] |= spaces[:-1] >> _TOP
        before[0] |= self._last == b" "
        behind[:-1] |= spaces[1:] << _TOP
        before ^= behind
        before &= inside
        before ^= behind  # of a quote that is inside, it opens: what is before; of the others what is behind
        before &= quotes
        return bool(before.any())


def _has_line_end(piece: bytes) -> bool:
    return b"\n" in piece or b"\r" in piece


def _odd_so_far(bits: Words, *, is_open: bool) -> Words:
    """Of each bit whether those up to it are odd in number."""
    import numpy as np

    odd, shifted = bits.copy(), np.empty_like(bits)
    for shift in (1, 2, 4, 8, 16, 32):
        odd ^= np.left_shift(odd, shift, out=shifted)
    ends = np.bitwise_xor.accumulate(np.right_shift(odd, _TOP, out=shifted), out=shifted)
    if is_open:
        ends ^= np.uint64(1)
        odd[0] = ~odd[0]
    odd[1:] ^= np.negative(ends[:-1])  # of 1, all bits
    return odd

"""The looks through CSV for quotes, 64 bytes at a time and piece by piece, see what a look at each byte sees."""

from __future__ import annotations

import random

import pytest

from windlass.connectors.files.reading import csv_quotes
from windlass.connectors.files.reading.csv_quotes import Quotes
from windlass.connectors.files.reading.csv_spaces import Spaces

SIGNS = b'xxxxxxxxxxxxxxxx,,"" \n\r'
SIZES = (0, 1, 2, 63, 64, 65, 128, 200)


def byte_by_byte(data: bytes, begin: int) -> tuple[bool, bool, bool]:
    """Of the bytes from `begin` on: line ends inside quotes, spaces beside quotes; and whether the end is inside."""
    is_open = line_ends = spaces = False
    for i, byte in enumerate(data):
        before, sign, is_new = data[i - 1 : i], data[i : i + 1], i >= begin
        is_open ^= sign == b'"'
        line_ends |= is_new and is_open and byte in b"\r\n"
        spaces |= is_new and is_open and sign == b'"' and before == b" "
        spaces |= is_new and not is_open and sign == b" " and before == b'"'
    return line_ends, spaces, is_open


def pieces_of(rng: random.Random) -> list[bytes]:
    return [bytes(rng.choices(SIGNS, k=rng.choice(SIZES))) for _ in range(rng.randrange(1, 5))]


@pytest.fixture(params=[0, 300, 1 << 20])
def _beginning(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many bytes are looked at without numpy."""
    monkeypatch.setattr(csv_quotes, "_BEGINNING", request.param)


@pytest.mark.usefixtures("_beginning")
def test_quotes_are_seen_wherever_a_piece_or_a_word_ends() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        quotes, data = Quotes('"'), b""
        for piece in pieces_of(rng):
            seen = quotes.look(piece)
            assert (*seen, quotes.open) == byte_by_byte(data + piece, len(data)), (data, piece)
            data += piece


@pytest.mark.usefixtures("_beginning")
def test_spaces_are_found_in_pieces_as_in_the_whole() -> None:
    rng, found = random.Random(2), 0
    for _ in range(2000):
        pieces, quotes, spaces, place = pieces_of(rng), Quotes('"'), Spaces(",", '"'), None
        for piece in filter(None, pieces):
            seen = quotes.look(piece)
            place = spaces.find(piece, may_have=seen.spaces, is_open=quotes.open)
            if place is not None:
                break
        else:
            place = spaces.find_at_end()
        whole = Spaces(",", '"').find_in(b"".join(pieces))
        assert place == whole, pieces
        found += place is not None
    assert 100 < found < 1800

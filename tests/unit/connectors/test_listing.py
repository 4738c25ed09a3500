"""Objects that were listed wait on the disk, however many they are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass.connectors.stores.listing import Listing
from windlass.storage.objects import Object

MANY, LITTLE = 20_000, 1 << 20  # held in memory, they would take some MB


def objects(number: int) -> list[Object]:
    return [Object(f"raw/ü-{each}.csv", each, f'"{each:032x}"') for each in range(number)]


def test_a_listing_has_what_was_listed_each_time_it_is_asked(tmp_path: Path) -> None:
    listing = Listing(objects(3), tmp_path)
    assert (list(listing), list(listing)) == (objects(3), objects(3))
    assert (len(listing), listing.first) == (3, objects(1)[0])
    listing.close()
    assert not list(tmp_path.iterdir())


def test_a_listing_is_not_held_in_memory(tmp_path: Path) -> None:
    listing = Listing(objects(1), tmp_path)
    listing.close()
    tracemalloc.start()
    try:
        listing = Listing(
            (Object(f"raw/{each}.csv", each, f'"{each:032x}"') for each in range(MANY)), tmp_path
        )
        assert sum(1 for _ in listing) == MANY
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()
        listing.close()


def test_nothing_stays_of_a_listing_that_breaks_off(tmp_path: Path) -> None:
    def breaks_off() -> Iterator[Object]:
        yield from objects(2)
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        Listing(breaks_off(), tmp_path)
    assert not list(tmp_path.iterdir())

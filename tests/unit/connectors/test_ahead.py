"""Chunks that are made ahead of what is sent: none is being made any more when a load is left."""

from __future__ import annotations

import asyncio
from threading import Event, Timer

import pytest

from windlass.connectors.postgres.writing.ahead import Ahead


def test_leaving_waits_for_the_chunk_that_is_being_made_and_no_other_is_begun() -> None:
    made: list[int] = []
    making, may_end = Event(), Event()

    def make() -> int:
        if made:
            making.set()
            may_end.wait()
        made.append(len(made))
        return made[-1]

    async def send(ahead: Ahead[int]) -> None:
        async for _ in ahead.chunks():
            await asyncio.to_thread(making.wait)
            raise ConnectionError

    async def fail() -> None:
        ahead = Ahead(make)
        with pytest.raises(ConnectionError):
            await send(ahead)
        Timer(0.01, may_end.set).start()
        with ahead:
            assert made == [0]
        assert made == [0, 1]

    asyncio.run(fail())
    assert made == [0, 1]


def test_all_chunks_come_in_turn() -> None:
    left = iter([b"a", b"b", None])

    async def all_of(ahead: Ahead[bytes]) -> list[bytes]:
        return [chunk async for chunk in ahead.chunks()]

    with Ahead(lambda: next(left)) as ahead:
        assert asyncio.run(all_of(ahead)) == [b"a", b"b"]

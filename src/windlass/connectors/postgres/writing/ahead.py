"""Chunks that are made one ahead of what is sent, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from threading import Lock
from typing import Generic, Self, TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """Makes chunks, until there is None. Use as a context manager.

    A copy may fail at any time, and what the chunks are made of is closed then: when this is left, none is being
    made, nor will be.
    """

    def __init__(self, make: Callable[[], T | None]) -> None:
        self._make, self._making, self._left = make, Lock(), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left = True
        with self._making:
            return

    async def chunks(self) -> AsyncIterator[T]:
        coming = asyncio.ensure_future(asyncio.to_thread(self._next))
        while (chunk := await coming) is not None:
            coming = asyncio.ensure_future(asyncio.to_thread(self._next))
            yield chunk

    def _next(self) -> T | None:
        with self._making:
            return None if self._left else self._make()

"""Asks for pages before they are read, as far as it is known how they will be asked for.

It is a guess: where it turns out that the next request is another one, what was asked ahead is left alone, its errors
included. So the pages, and what is said of them, are the same as without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from types import TracebackType
from typing import Generic, TypeVar

from windlass.connectors.http.paging import Request

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """The answers to requests, so many of which are under way or waiting at once. Left, it waits for none of them."""

    def __init__(self, at_once: int, ask: Callable[[Request], T]) -> None:
        self._ask = ask
        self._pool = ThreadPoolExecutor(at_once) if at_once > 1 else None
        self._begun: dict[str, Future[T]] = {}

    def answer(self, request: Request, following: Iterable[Request]) -> T:
        """The answer to a request, after which those that follow will probably be made."""
        if self._pool is None:
            return self._ask(request)
        earlier, self._begun = self._begun, {}
        for each in (request, *following):
            begun = earlier.pop(each.name, None)
            self._begun[each.name] = begun or self._pool.submit(copy_context().run, self._ask, each)
        for needless in earlier.values():
            needless.cancel()
        return self._begun.pop(request.name).result()

    def __enter__(self) -> Ahead[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

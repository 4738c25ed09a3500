"""Processes on other machines that do the work of a copy: what an engine has to be for pieces to be spread over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

__all__ = ["ThisProcess", "Workers"]


class Workers(Protocol):
    """Where pieces of work are done."""

    def each(self, work: Callable[[int], str], count: int) -> Iterator[str]:
        """What `work` returns for each number below `count`, in that order, as it is done.

        `work` is a function of a module of windlass, with arguments that can be pickled. A number may be done more than
        once, at the same time too: by a machine that is slow, and by the one that was asked in its place. Left before the
        end, what goes on is stopped. Raises RetryableError when a machine was lost too often, FatalError for what
        another try would not change.
        """

    def close(self) -> None: ...


class ThisProcess:
    """No workers at all: this process does what they would, one piece after the other. Implements `Workers`."""

    def each(self, work: Callable[[int], str], count: int) -> Iterator[str]:
        """See `Workers`."""
        return map(work, range(count))

    def close(self) -> None:
        """There is nothing to close."""

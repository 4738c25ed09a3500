"""Leaving what a copy has opened. What goes wrong at that hides neither a result nor an error of what came before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from windlass import logs
from windlass.errors import reason_of

__all__ = ["close", "closing", "leaving"]

T = TypeVar("T")


class _Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closable)


def close(end: _Closable) -> None:
    """Close it, whatever that says."""
    with _told():
        end.close()


@contextmanager
def closing(end: C) -> Iterator[C]:
    """Close it afterwards, likewise."""
    try:
        yield end
    finally:
        close(end)


@contextmanager
def leaving(opened: AbstractContextManager[T]) -> Iterator[T]:
    """Enter it, and leave it likewise."""
    entered = opened.__enter__()
    try:
        yield entered
    finally:
        with _told():
            opened.__exit__(*sys.exc_info())


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - what a connector raises when it is closed is its own affair
        logs.warning("clean_up_failed", because=reason_of(exc))

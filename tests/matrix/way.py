"""What a way of running a pipeline is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from tests.matrix.place import Place

__all__ = ["Column", "NotHereError", "Way"]

Way: TypeAlias = Callable[[Place], None]
"""Runs the pipeline of a place once, to its end. Raises RunFailedError."""


class NotHereError(Exception):
    """This machine has not what a way needs; the message says what."""


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    title: str
    opened: Callable[[], AbstractContextManager[Way]]
    """Gets ready whatever all its runs share. Raises NotHereError."""

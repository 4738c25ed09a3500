"""The ends of a copy, written as in a pipeline file."""

from __future__ import annotations

from typing import Any

import msgspec

from windlass.plan.model import Destination, Source

__all__ = ["destination_of", "source_of"]


def source_of(connection: str | None = None, **options: Any) -> Source:
    """`from: {…}`."""
    return Source(connection=connection, options=_given(options))


def destination_of(connection: str | None = None, **options: Any) -> Destination:
    """`to: {…}`."""
    return Destination(connection=connection, options=_given(options))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = msgspec.to_builtins(options)
    return {key: value for key, value in given.items() if value not in (None, [], ())}

"""How long a writer may give no sign of life before others take its turn away."""

from __future__ import annotations

from windlass.connections import Address
from windlass.errors import FatalError

__all__ = ["SILENCE", "silence_of"]

SILENCE = 60.0
"""Seconds."""


def silence_of(address: Address | None) -> float:
    """As the address says with `?silence=`. Raises FatalError."""
    text = address.options.get("silence", "") if address is not None else ""
    try:
        seconds = float(text or SILENCE)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        message = f"the connection in {address.origin if address else ''} has silence={text}"
        raise FatalError(f"{message}: expected a number of seconds")
    return seconds

"""Values of any size and kind as text of a bounded size."""

from __future__ import annotations

import json

__all__ = ["clipped", "clipped_value"]


def clipped(text: str, longest: int) -> str:
    """The text, or its beginning and how much is left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(text) - longest:,} more characters)"


def clipped_value(value: object, longest: int) -> str:
    """A value as JSON would have it, text as it is."""
    if isinstance(value, str):
        return clipped(value, longest)
    return clipped(json.dumps(value, ensure_ascii=False, default=str), longest)

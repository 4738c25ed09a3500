"""The strings of a plan, all of which are templates: a copy of any part of it with each of them changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct, structs

__all__ = ["with_strings"]

T = TypeVar("T")


def with_strings(value: T, change: Callable[[str], Any]) -> T:
    """A copy of the value, a tree of structs and containers, with every string in it changed."""
    changed: Any = value
    if isinstance(value, str):
        changed = change(value)
    elif isinstance(value, tuple):
        changed = tuple(with_strings(item, change) for item in value)
    elif isinstance(value, list):
        changed = [with_strings(item, change) for item in value]
    elif isinstance(value, dict):
        changed = {key: with_strings(item, change) for key, item in value.items()}
    elif isinstance(value, Struct):
        changes = {name: with_strings(part, change) for name, part in structs.asdict(value).items()}
        changed = structs.replace(value, **changes)
    return changed  # type: ignore[no-any-return]

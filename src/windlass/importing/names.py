"""Names that windlass takes, of any text."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["name_of", "open_name", "unused"]

_LIKE_A_SECRET = re.compile(
    r"(pwd|secret|token|credentials?|authorization|passwd|password|passphrase|(api|access|secret|private)_?key)$"
)


def name_of(text: str) -> str:
    """
    >>> name_of("Orders & Lines (v2)"), name_of("2024")
    ('orders_lines_v2', 'n2024')
    """
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "api"
    return name if name[0].isalpha() else f"n{name}"


def open_name(name: str) -> str:
    """The name for something that is no secret, where a key that is called so has to be one.

    >>> open_name("space_token"), open_name("space")
    ('space_token_value', 'space')
    """
    return f"{name}_value" if _LIKE_A_SECRET.search(name.lower()) else name


def unused(name: str, taken: Collection[str]) -> str:
    """The name, or the first one with a number that is not taken."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found

"""Where something is in a JSON answer: keys and places in lists, such as `data.items` or `data[-1].id`.

A part of JMESPath (https://jmespath.org/specification.html): sub-expressions and index expressions; a key with other
characters stands in quotes, `"@odata.nextLink"`.
"""

from __future__ import annotations

import re
from typing import TypeAlias

__all__ = ["Path", "find", "is_path", "parse"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys of objects, and places in lists, counted from 0 or, below 0, from the end."""

_NAME = r"(?:[A-Za-z_@]\w*|\"[^\"\\]+\")"
_STEP = rf"{_NAME}(?:\[-?\d+\])*"
_PATH = re.compile(rf"{_STEP}(?:\.{_STEP})*|(?:\[-?\d+\])+(?:\.{_STEP})*", re.ASCII)
_PIECE = re.compile(r'\[(-?\d+)\]|([A-Za-z_@]\w*)|"([^"\\]+)"', re.ASCII)


def is_path(text: str) -> bool:
    """Whether the text leads somewhere."""
    return _PATH.fullmatch(text) is not None


def parse(text: str) -> Path:
    """The steps of a path, as in `data[-1].id`: ("data", -1, "id")."""
    return tuple(int(place) if place else key or quoted for place, key, quoted in _PIECE.findall(text))


def find(path: Path, value: object) -> object:
    """What is there; None where there is nothing, or another kind of value on the way."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value

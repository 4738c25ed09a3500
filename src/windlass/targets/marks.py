"""How a file of an export is told from one that somebody else has written, which no export writes over."""

from __future__ import annotations

import re

__all__ = ["is_marked", "is_of_others"]

_MARK = re.compile(rb'by `?windlass export|"windlass": "')
"""What our files say near their beginning: as a comment, or as a key of JSON."""

_LOOKED_AT = 1024


def is_of_others(found: bytes, wanted: bytes) -> bool:
    """Whether `found`, in the place of `wanted`, is none of an earlier export: it lacks the mark that `wanted` has.

    Of a file that has no place for a mark (of a target from another package, maybe) nobody knows.
    """
    return found != wanted and is_marked(wanted) and bool(found.strip()) and not is_marked(found)


def is_marked(text: bytes) -> bool:
    """Whether an export has written it."""
    return _MARK.search(text[:_LOOKED_AT]) is not None

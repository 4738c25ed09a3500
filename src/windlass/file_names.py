"""Names of files that are made of other names, which may be as long as a file system takes them."""

from __future__ import annotations

import os

__all__ = ["fitting"]

_LONGEST_NAME = 198  # bytes; 255 may be in one, and the longest ending of ours has 56
_LONGEST_END = 20  # such as .csv.gz


def fitting(name: str) -> str:
    """The name of a file, or of a long one its beginning and its end, with a hash that tells it from others alike.

    Behind it is room for an ending of ours.
    """
    if len(encoded := os.fsencode(name)) <= _LONGEST_NAME:
        return name
    import hashlib  # which takes long to load, and is seldom needed

    middle = f"~{hashlib.sha256(encoded).hexdigest()[:16]}~"
    end = encoded[-_LONGEST_END:]
    beginning = encoded[: _LONGEST_NAME - len(middle) - len(end)]
    return f"{beginning.decode(errors='ignore')}{middle}{end.decode(errors='ignore')}"

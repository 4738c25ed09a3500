"""Pauses before an API is asked again, which tasks in a case of `windlass test` do not take.

What is asked there is a recording: it is not otherwise for the waiting. So a server that says `Retry-After: 300`, or a
limit of so many calls in an hour, takes no longer to test than any other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["SKIPPED", "are_skipped"]

SKIPPED: Mapping[str, str] = {"WINDLASS_PAUSES": "skip"}
"""What a task that takes no pauses finds in its environment."""


def are_skipped() -> bool:
    """Whether this process goes on at once where others wait."""
    return SKIPPED.items() <= os.environ.items()

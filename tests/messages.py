"""What errors say, for tests that are not about their codes."""

from __future__ import annotations

import re

__all__ = ["plain"]


def plain(error: object) -> str:
    """The text of an error, or what a command said, without codes."""
    return re.sub(r"error\[W\d{4}\]: ", "", str(error))

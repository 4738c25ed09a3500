"""Addresses that somebody wrote, split into their parts; what is no address is an error, and no defect of ours.

`urlsplit` raises ValueError for a bracket that is not closed, which is in many a password.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from windlass.errors import Code, FatalError

__all__ = ["BRACKETS", "split_or_none", "split_url"]

BRACKETS = "a port is a number up to 65535; [ and ] are for an IPv6 address, http://[::1]:8080: elsewhere write %5B and %5D"
"""What somebody can do who wrote an address that cannot be read."""


def split_or_none(text: str) -> SplitResult | None:
    """The parts of an address; None where it cannot be read."""
    try:
        return urlsplit(text)
    except ValueError:
        return None


def split_url(text: str) -> SplitResult:
    """The parts of an address. Raises FatalError, which does not show it: a password may be in it."""
    parts = split_or_none(text)
    if parts is None:
        message = f"the address {text.partition('://')[0]}://… cannot be read"
        raise FatalError(message, hint=BRACKETS, code=Code.UNREADABLE_ADDRESS)
    return parts

"""Durations and sizes, as people write them: `1h30m`, `512MB`."""

from __future__ import annotations

import re

__all__ = ["DURATION_PATTERN", "SIZE_PATTERN", "parse_duration", "parse_size"]

DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"
SIZE_PATTERN = r"^\d+(\.\d+)?\s*(B|KB|MB|GB|TB)$"

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_duration(text: str) -> float:
    """Seconds in a duration such as `30s`, `1h30m` or `250ms`. Raises ValueError.

    >>> parse_duration("1h30m"), parse_duration("250ms")
    (5400.0, 0.25)
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(text)
    return float(
        sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text))
    )


def parse_size(text: str) -> int:
    """Bytes in a size such as `512MB` or `1.5GB` (powers of ten). Raises ValueError.

    >>> parse_size("512MB")
    512000000
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB)", text.strip().upper())
    if not match:
        raise ValueError(text)
    return int(float(match[1]) * _BYTES[match[2]])

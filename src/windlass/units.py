"""Durations, sizes and numbers as people write and read them: `1h30m`, `512MB`; `1 min 15 s`, `2.1 MB`."""

from __future__ import annotations

import re

__all__ = [
    "DEFAULT_MEMORY",
    "DURATION_PATTERN",
    "SIZE_PATTERN",
    "counted",
    "duration",
    "number",
    "parse_duration",
    "parse_size",
    "size",
]

DEFAULT_MEMORY = 512_000_000
"""Bytes that a copy may use, unless somebody says otherwise."""

DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"
SIZE_PATTERN = r"^\d+(\.\d+)?\s*(B|KB|MB|GB|TB)$"

_LONGEST = 3650 * 86400.0  # seconds: what every clock and scheduler can still wait for
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def parse_duration(text: str) -> float:
    """Seconds in a duration such as `30s`, `1h30m` or `250ms`, of ten years at most. Raises ValueError.

    >>> parse_duration("1h30m"), parse_duration("250ms")
    (5400.0, 0.25)
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    seconds = float(sum(float(n) * _SECONDS[unit] for n, unit in parts))
    if seconds > _LONGEST:
        raise ValueError(text)
    return seconds


def parse_size(text: str) -> int:
    """Bytes in a size such as `512MB` or `1.5GB` (powers of ten). Raises ValueError.

    >>> parse_size("512MB")
    512000000
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB)", text.strip().upper())
    if not match:
        raise ValueError(text)
    return int(float(match[1]) * _BYTES[match[2]])


# --- for people ---


def number(value: int | None) -> str:
    """
    >>> number(22792)
    '22,792'
    """
    return "" if value is None else f"{value:,}"


def counted(count: int, noun: str) -> str:
    """
    >>> counted(1, "row"), counted(22792, "row")
    ('1 row', '22,792 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size(value: int | None) -> str:
    """Bytes, in powers of ten.

    >>> size(2074359)
    '2.1 MB'
    """
    if value is None:
        return ""
    amount = float(value)
    for unit in _UNITS:
        if amount < 999.5 or unit == _UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError


def duration(seconds: float) -> str:
    """
    >>> duration(0.42), duration(75), duration(7300)
    ('0.4 s', '1 min 15 s', '2 h 1 min')
    """
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"

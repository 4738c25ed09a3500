"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["duration", "number", "size"]

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def number(value: int | None) -> str:
    """
    >>> number(22792)
    '22,792'
    """
    return "" if value is None else f"{value:,}"


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
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"

"""Words of InfluxQL: https://docs.influxdata.com/influxdb/v1/query_language/spec/"""

from __future__ import annotations

__all__ = ["name", "text"]


def name(value: str) -> str:
    """A measurement, tag or field, quoted.

    >>> name('a "b"')
    '"a \\\\"b\\\\""'
    """
    return f'"{_escaped(value, chr(34))}"'


def text(value: str) -> str:
    """A text, quoted.

    >>> text("it's")
    "'it\\\\'s'"
    """
    return f"'{_escaped(value, chr(39))}'"


def _escaped(value: str, quote: str) -> str:
    return value.replace("\\", "\\\\").replace(quote, "\\" + quote).replace("\n", "\\n")

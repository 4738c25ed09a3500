"""Points for InfluxDB 1.x, each with its time: written again, it is still one."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from etl import addresses, web


def write(
    uri: str, measurement: str, tags: Mapping[str, str], fields: Mapping[str, float], seconds: int
) -> None:
    """Write one point of numbers, at a time in seconds since 1970."""
    named = ",".join(
        [_escaped(measurement, ", "), *(f"{_escaped(k)}={_escaped(v)}" for k, v in sorted(tags.items()))]
    )
    values = ",".join(f"{_escaped(key)}={float(value)!r}" for key, value in fields.items())
    address = addresses.parse(uri, scheme="http")
    server, _, database = address.url.rpartition("/")
    headers = {}
    if address.user:
        login = base64.b64encode(f"{address.user}:{address.password}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    line = f"{named} {values} {seconds}".encode()
    web.post(f"{server}/write?db={database}&precision=s", line, headers, shown=server)


def _escaped(text: str, special: str = ",= ") -> str:
    """A name or tag as line protocol writes it."""
    return "".join(f"\\{character}" if character in special else character for character in text)

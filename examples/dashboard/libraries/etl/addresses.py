"""The addresses of connections, as a step gets them in its environment."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class Address(NamedTuple):
    """An address, without and with what says who asks."""

    url: str
    user: str
    password: str


def parse(uri: str, scheme: str = "") -> Address:
    """The parts of `scheme://user:password@host:port/path`; another scheme takes the place of its own."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    url = f"{scheme or parts.scheme}://{host}{parts.path.rstrip('/')}"
    return Address(url, unquote(parts.username or ""), unquote(parts.password or ""))

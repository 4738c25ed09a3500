"""What the addresses of requests are made of: where an API is, and a path below that."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from windlass.connections import Address

__all__ = ["server_of", "texts", "url_of"]

_OPEN = "/%:@!$&'()*+,;=-._~"


def url_of(address: Address, path: str) -> str:
    """The address of a path below that of a connection, without user, password and parameters."""
    base, below = quote(address.database, safe=_OPEN).strip("/"), quote(path, safe=_OPEN).lstrip("/")
    return f"{server_of(address)}/{base}{'/' if base else ''}{below}"


def server_of(address: Address) -> str:
    """Scheme, host and port."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{address.scheme or 'http'}://{host}" + (f":{address.port}" if address.port else "")


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """Values as JSON writes them: `true`, not `True`."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()
    }

"""The keys of an e-mail connection."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from windlass.connectors.options import ConnectionOptions
from windlass.options import OneOrMany

__all__ = ["Connection", "Tls"]

Tls: TypeAlias = Literal["starttls", "implicit", "none"]


class Connection(ConnectionOptions):
    """Who gets the mail."""

    to: OneOrMany[str] = ()
    """Who gets it. Default: what `?to=` in the address says, separated by commas."""

    from_: str | None = msgspec.field(name="from", default=None)
    """Who it is from. Default: `?from=` in the address, else its user, if that is an address."""

    tls: Tls | None = None
    """How the connection is encrypted: `starttls`, `implicit` or `none`. Default: `implicit` for port 465 and for
    `smtps://`, else `starttls`. A server that cannot do it is refused, unless it is on this machine."""

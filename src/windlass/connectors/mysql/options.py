"""The keys of MySQL and MariaDB in `from:`, `to:` and `dev:`."""

from __future__ import annotations

from typing import Literal

from windlass.connectors.options import InitOptions, TableDestination, TableSource

__all__ = ["Destination", "DevService", "Source"]


class Source(TableSource):
    """A table or a query."""

    zero_dates: Literal["bad_row", "null"] = "bad_row"
    """What becomes of dates such as `0000-00-00` and `2024-05-00`, which no calendar has: their rows are bad, or they are
    read as NULL."""


class Destination(TableDestination):
    """A table. It is created when it is missing."""


class DevService(InitOptions):
    """A server that stands in for MySQL or MariaDB."""

    image: str = "mariadb:11.4"
    """The image of its container, where neither `mariadbd` nor `mysqld` is on this machine's PATH."""

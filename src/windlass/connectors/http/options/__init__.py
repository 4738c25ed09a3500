"""The keys of an API: beside the type of its connection, in `from:` and in `dev:`."""

from windlass.connectors.http.options.asking import Parent, Since
from windlass.connectors.http.options.auth import Auth
from windlass.connectors.http.options.connection import Connection, DevService
from windlass.connectors.http.options.limits import ErrorRule, LimitHeaders, RateLimit, Retry
from windlass.connectors.http.options.paging import Paginate
from windlass.connectors.http.options.source import Source

__all__ = [
    "Auth",
    "Connection",
    "DevService",
    "ErrorRule",
    "LimitHeaders",
    "Paginate",
    "Parent",
    "RateLimit",
    "Retry",
    "Since",
    "Source",
]

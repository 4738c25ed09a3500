"""Where connections are: their addresses, and the places where those are looked for."""

from windlass.connections.address import Address, parse_address
from windlass.connections.around import hide_secrets
from windlass.connections.env_file import unknown_connections
from windlass.connections.resolve import ORIGIN, PREFIX, places, resolve, variable
from windlass.connections.secret import secret_value

__all__ = [
    "ORIGIN",
    "PREFIX",
    "Address",
    "hide_secrets",
    "parse_address",
    "places",
    "resolve",
    "secret_value",
    "unknown_connections",
    "variable",
]

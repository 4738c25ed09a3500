"""Where connections are: their addresses, and the places where those are looked for."""

from windlass.connections.address import STAND_IN, Address, parse_address
from windlass.connections.around import hide_secrets
from windlass.connections.env_file import unknown_connections
from windlass.connections.resolve import ORIGIN, PREFIX, declared_address, places, resolve, variable
from windlass.connections.secret import secret_places, secret_value, secret_variable

__all__ = [
    "ORIGIN",
    "PREFIX",
    "STAND_IN",
    "Address",
    "declared_address",
    "hide_secrets",
    "parse_address",
    "places",
    "resolve",
    "secret_places",
    "secret_value",
    "secret_variable",
    "unknown_connections",
    "variable",
]

"""The connectors there are: a line each. Nothing but the connector itself is named anywhere else.

Modules are given by their dotted path and imported when a connection of that type is used, so that
`windlass validate` needs no driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

__all__ = ["CONNECTORS", "Connector", "databases", "load"]


@dataclass(frozen=True, slots=True)
class Connector:
    """Where the parts of a connector are. A part that a connector does not have is None."""

    database: str | None = None
    """The module with `connect()`: reads and writes tables, runs SQL."""

    dev_service: str | None = None
    """The module with `start()`: a throw-away stand-in."""

    alert: str | None = None
    """The module with `send()`: tells somebody that a run failed."""

    dev_keys: tuple[str, ...] = ()
    """The keys of `dev:` that make sense."""


CONNECTORS = {
    "duckdb": Connector("windlass.connectors.duckdb", "windlass.devservices.file", dev_keys=("init",)),
    "http": Connector(dev_service="windlass.devservices.http", dev_keys=("serve",)),
    "postgres": Connector(
        "windlass.connectors.postgres", "windlass.devservices.postgres", dev_keys=("init",)
    ),
    "slack": Connector(alert="windlass.alerts.slack"),
    "sqlite": Connector("windlass.connectors.sqlite", "windlass.devservices.file", dev_keys=("init",)),
}


def databases() -> tuple[str, ...]:
    """The types of connection that have tables."""
    return tuple(name for name, connector in CONNECTORS.items() if connector.database)


def load(module: str) -> ModuleType:
    """Import one part of a connector."""
    return import_module(module)

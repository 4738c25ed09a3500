"""Connects to Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windlass.connections import Address
from windlass.connectors.protocol import Database, Destination, Interval, Source

if TYPE_CHECKING:
    from windlass.plan import model as plan

__all__ = ["connect", "open_destination", "open_source"]


def connect(address: Address) -> Database:
    """Connect, to run SQL. Raises RetryableError when the server does not answer."""
    from windlass.connectors.postgres.database import PostgresDatabase

    return PostgresDatabase(address)


def open_source(address: Address, end: plan.Source) -> Source:
    """Open a table or query for reading."""
    from windlass.connectors.postgres.source import PostgresSource

    return PostgresSource(address, end)


def open_destination(address: Address, end: plan.Destination, interval: Interval | None) -> Destination:
    """Open a table for writing; `interval` is the run's, for `delete_insert`."""
    from windlass.connectors.postgres.destination import PostgresDestination

    return PostgresDestination(address, end, interval)

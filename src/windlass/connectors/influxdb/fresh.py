"""Databases of their own on a server of version 1, each a copy of the one that its init files have made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from windlass.connections import STAND_IN, Address
from windlass.connectors.influxdb.client import Connection

__all__ = ["fresh"]


@contextmanager
def fresh(address: Address, name: str) -> Iterator[Address]:
    """A copy of the database at the address, with that name, until the end of the block.

    Only the points of its default retention policy are copied. On a server that others may use, too, it is not dropped:
    while one is, InfluxDB refuses what they ask ("engine is closed").
    """
    server = Connection(address)
    server.query(f'CREATE DATABASE "{name}"')
    server.query(f'SELECT * INTO "{name}"..:MEASUREMENT FROM "{server.database}"../.*/ GROUP BY *')
    options = {**address.options, **({"bucket": name} if server.is_v2 else {})}
    try:
        yield replace(address, database=name, options=options)
    finally:
        if address.origin == STAND_IN:
            server.query(f'DROP DATABASE "{name}"')

"""Databases of their own on a dev service, each with what its init files have made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from windlass.connections import Address
from windlass.connectors.mongodb.client import Connection

__all__ = ["fresh"]


@contextmanager
def fresh(address: Address, name: str) -> Iterator[Address]:
    """A copy of the database at the address, with that name, until the end of the block."""
    with closing(Connection(address)) as connection, connection.errors():
        own = connection.client[name]
        connection.client.drop_database(name)
        for collection in connection.database.list_collection_names():
            documents = list(connection.database[collection].find())
            if documents:
                own[collection].insert_many(documents)
    try:
        yield replace(address, database=name)
    finally:
        with closing(Connection(address)) as connection, connection.errors():
            connection.client.drop_database(name)

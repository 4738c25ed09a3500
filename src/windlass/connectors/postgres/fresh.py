"""Databases of their own on a dev service, each a copy of the one that its init files have made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

from windlass.connections import Address
from windlass.connectors.postgres.session import Session
from windlass.connectors.scratch import identifier

__all__ = ["fresh"]

_ELSEWHERE = "template1"  # nobody may be in the database that is copied


@contextmanager
def fresh(address: Address, name: str) -> Iterator[Address]:
    """A copy of the database at the address, with that name, until the end of the block."""
    with closing(Session(replace(address, database=_ELSEWHERE), as_configured=True)) as server:
        server.execute(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")
        server.execute(
            f"CREATE DATABASE {identifier(name)} TEMPLATE {identifier(address.database)} STRATEGY FILE_COPY"
        )
    try:
        yield replace(address, database=name)
    finally:
        with closing(Session(replace(address, database=_ELSEWHERE), as_configured=True)) as server:
            server.execute(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")

"""SQL over objects: DuckDB, to which the buckets are file systems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from windlass import registry
from windlass.connections import Address
from windlass.connectors.database import SqlResult
from windlass.connectors.duckdb.database import DuckdbDatabase
from windlass.connectors.stores.where import Where, store_at, stored_path
from windlass.errors import extra

if TYPE_CHECKING:
    from windlass.connectors.stores.filesystem import Finder, StoreFileSystem

__all__ = ["StoreDatabase", "connect", "over_files"]

_SCHEME = re.compile(r"([a-z][a-z0-9]*)://")

BUCKET = "bucket"
"""What paths begin with in the SQL of a connection: `bucket://raw/orders.csv` is an object of its bucket."""


class StoreDatabase(DuckdbDatabase):
    """A DuckDB in memory that finds objects as files. What is written to them takes effect when the script has succeeded."""

    def __init__(self, systems: Sequence[StoreFileSystem], search: str | None = None) -> None:
        super().__init__(Address(registry.SCRATCH, database=":memory:", origin="the task"), search=search)
        self._systems = systems
        for system in systems:
            self._connection.register_filesystem(system)

    def execute(self, script: str, *, transaction: bool = True) -> SqlResult:
        with self._told():
            result = super().execute(script, transaction=transaction)
            for system in self._systems:
                system.publish()
        return result

    def query(self, sql: str, limit: int | None = None) -> SqlResult:
        with self._told():
            return super().query(sql, limit)

    def close(self) -> None:
        super().close()
        for system in self._systems:
            system.forget()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """DuckDB tells of an error in a file system as a text; who waits for the error gets the one that it was."""
        try:
            yield
        except Exception as exc:
            for system in self._systems:
                if system.error is not None:
                    raise system.error from exc
            raise
        finally:
            for system in self._systems:
                system.forget()


def connect(address: Address) -> StoreDatabase:
    """SQL over the bucket of a connection, whose objects are `bucket://key`. Raises FatalError."""

    def where(path: str) -> Where:
        return store_at(address, address.type, path)

    where("")  # an address without a bucket is told at once
    return StoreDatabase([_system(address.type, BUCKET, where, None)])


def over_files(text: str, search: str, scratch: Path | None) -> DuckdbDatabase:
    """SQL over the files of this machine, and where its text has such addresses, over objects by what the environment says."""
    named = {scheme: registry.by_scheme(scheme) for scheme in sorted(set(_SCHEME.findall(text)))}
    systems = [
        _system(connector.type, scheme, _by_address(scheme), scratch)
        for scheme, connector in named.items()
        if connector is not None and connector.store is not None and scheme in connector.schemes
    ]
    if systems:
        return StoreDatabase(systems, search)
    memory = Address(registry.SCRATCH, database=":memory:", origin="the task")
    return DuckdbDatabase(memory, search=search)


def _by_address(scheme: str) -> Finder:
    return lambda path: stored_path(f"{scheme}://{path}")


def _system(kind: str, protocol: str, where: Finder, scratch: Path | None) -> StoreFileSystem:
    with extra(f"SQL over {kind}", str(registry.require(kind).extra)):
        from windlass.connectors.stores.filesystem import StoreFileSystem
    return StoreFileSystem(protocol, where, scratch)

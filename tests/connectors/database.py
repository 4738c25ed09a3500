"""SQL on a Postgres database that owes nothing to the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg

from windlass.connections import Address

__all__ = ["Database"]


@dataclass(frozen=True)
class Database:
    """SQL on one Postgres database, over asyncpg alone."""

    address: Address

    def run(self, script: str) -> None:
        """Any number of statements."""
        asyncio.run(self._with(lambda connection: connection.execute(script)))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of one SELECT."""
        return [tuple(row) for row in asyncio.run(self._with(lambda connection: connection.fetch(query)))]

    def value(self, query: str) -> Any:
        """The one value of one SELECT."""
        return self.rows(query)[0][0]

    async def _with(self, use: Callable[[Any], Any]) -> Any:
        where = self.address
        connection = await asyncpg.connect(
            host=where.host,
            port=where.port,
            user=where.user,
            password=where.password,
            database=where.database,
        )
        try:
            return await use(connection)
        finally:
            await connection.close()

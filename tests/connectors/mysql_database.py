"""SQL on a MySQL or MariaDB database that owes nothing to the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncmy

from windlass.connections import Address

__all__ = ["MysqlDatabase"]


@dataclass(frozen=True)
class MysqlDatabase:
    """SQL on one database, over asyncmy alone."""

    address: Address

    def run(self, *statements: str) -> None:
        """Statements, in one session that is in UTC and takes dates that no calendar has."""

        async def each(cursor: Any) -> None:
            for statement in statements:
                await cursor.execute(statement)

        asyncio.run(self._with(each))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of one SELECT."""

        async def all_of(cursor: Any) -> list[tuple[Any, ...]]:
            await cursor.execute(query)
            return list(await cursor.fetchall())

        return asyncio.run(self._with(all_of))

    def value(self, query: str) -> Any:
        """The one value of one SELECT."""
        return self.rows(query)[0][0]

    async def _with(self, use: Callable[[Any], Awaitable[Any]]) -> Any:
        where = self.address
        connection = await asyncmy.connect(
            host=where.host,
            port=where.port or 3306,
            user=where.user,
            password=where.password,
            database=where.database,
            charset="utf8mb4",
            autocommit=True,
            init_command="SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES'",
        )
        try:
            return await use(connection.cursor())
        finally:
            await connection.ensure_closed()

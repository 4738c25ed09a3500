"""Random schedules of transactions on one table, with loads between them, and an oracle of their own.

Every version of a row has a token that no other has. What is live when all transactions have ended must have
been read, and nothing may have been read twice: that is all the oracle knows.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg

COLUMNS = "(id serial, part int, token bigint, at timestamptz DEFAULT now(), local timestamp DEFAULT now())"
TABLES = {
    "plain": f"CREATE TABLE t {COLUMNS}",
    "partitioned": (
        f"CREATE TABLE t {COLUMNS} PARTITION BY LIST (part); CREATE TABLE rest PARTITION OF t FOR VALUES IN (4, 5);"
        "CREATE TABLE low PARTITION OF t FOR VALUES IN (0, 1);"
        "CREATE TABLE high PARTITION OF t FOR VALUES IN (2, 3) PARTITION BY LIST (part);"
        "CREATE TABLE higher PARTITION OF high DEFAULT"
    ),
    "inherited": f"CREATE TABLE t {COLUMNS}; CREATE TABLE low () INHERITS (t); CREATE TABLE high () INHERITS (low)",
}
NO_TABLES = "DROP TABLE IF EXISTS t, low, high, higher, rest CASCADE; "

_STEPS = {
    "begin": 3.0,
    "insert": 6.0,
    "insert_of_many": 1.0,
    "update": 4.0,
    "delete": 1.0,
    "look": 1.0,
    "lock": 1.0,
    "commit": 4.0,
    "rollback": 1.0,
    "savepoint": 2.0,
    "rollback_to": 1.0,
    "prepare": 1.0,
    "end_prepared": 1.0,
    "vacuum": 0.3,
    "exchange_partition": 1.5,
    "load": 4.0,
}
_LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
_ANY_ROW = "(SELECT token FROM t ORDER BY random() LIMIT 1)"


@dataclass
class Schedule:
    """One schedule, the same for the same seed as far as locks allow."""

    seed: int
    table: str
    connections: list[Any]
    load: Callable[[], Awaitable[list[int]]]
    """Reads what is new, and returns its tokens."""

    steps: list[str] = field(default_factory=list)
    """What was done, for whoever has to understand a failure."""

    _read: list[int] = field(default_factory=list)
    _open: dict[int, int] = field(default_factory=dict)
    _detached: bool = False
    _token: int = 0

    async def play(self, length: int) -> None:
        """Play it to its end. Raises AssertionError when a row was lost or read twice."""
        self._random = random.Random(self.seed)
        if self._random.random() < 0.5:
            with suppress(asyncpg.PostgresError):  # the server itself may be looking at the table
                await self._exchange_partition(0, self.connections[0], is_open=False)
        for _ in range(length):
            await self._step()
        await self._end_all()
        self._read += await self.load()
        live = {row["token"] for row in await self.connections[0].fetch("SELECT token FROM t")}
        twice = {token for token in self._read if self._read.count(token) > 1}
        assert not twice, f"seed {self.seed}: read twice {twice}; {self.steps}"
        assert live <= set(self._read), f"seed {self.seed}: lost {live - set(self._read)}; {self.steps}"

    async def _step(self) -> None:
        session = self._random.randrange(len(self.connections))
        step = self._random.choices(list(_STEPS), list(_STEPS.values()))[0]
        self.steps.append(f"{session}:{step}")
        is_open = session in self._open
        try:
            await getattr(self, f"_{step}")(session, self.connections[session], is_open)
        except asyncpg.PostgresError as exc:  # somebody holds a lock, or Postgres cannot serialize
            self.steps.append(type(exc).__name__)
            if is_open:
                self._open.pop(session, None)
                with suppress(asyncpg.PostgresError):
                    await self.connections[session].execute("ROLLBACK")

    async def _end_all(self) -> None:
        for session in list(self._open):
            with suppress(asyncpg.PostgresError):
                await self.connections[session].execute(self._random.choice(["COMMIT", "ROLLBACK"]))
        await self._end_prepared(0, self.connections[0], is_open=False)

    def _new_token(self) -> int:
        self._token += 1
        return self._token

    # --- steps ---

    async def _begin(self, session: int, connection: Any, is_open: bool) -> None:
        if not is_open:
            await connection.execute(f"BEGIN ISOLATION LEVEL {self._random.choice(_LEVELS)}")
            zone = self._random.choice(["UTC", "America/New_York", "Asia/Kolkata"])
            await connection.execute(f"SET LOCAL TimeZone = '{zone}'")
            self._open[session] = 0

    async def _insert(self, session: int, connection: Any, is_open: bool) -> None:
        table, part = self._some_place()
        await connection.execute(f"INSERT INTO {table} (part, token) VALUES ({part}, {self._new_token()})")

    async def _insert_of_many(self, session: int, connection: Any, is_open: bool) -> None:
        table, part = self._some_place()
        tokens = [self._new_token() for _ in range(5)]
        await connection.execute(
            f"INSERT INTO {table} (part, token) SELECT {part}, unnest($1::bigint[])", tokens
        )

    async def _update(self, session: int, connection: Any, is_open: bool) -> None:
        moved = self._random.randrange(2) if self.table == "partitioned" else 0
        await connection.execute(
            f"UPDATE t SET token = {self._new_token()}, at = now(), part = (part + {moved}) % 6 WHERE token = {_ANY_ROW}"
        )

    async def _delete(self, session: int, connection: Any, is_open: bool) -> None:
        await connection.execute(f"DELETE FROM t WHERE token = {_ANY_ROW}")

    async def _look(self, session: int, connection: Any, is_open: bool) -> None:
        await connection.fetchval("SELECT count(*) FROM t")

    async def _lock(self, session: int, connection: Any, is_open: bool) -> None:
        await connection.execute(f"SELECT 1 FROM t WHERE token = {_ANY_ROW} FOR UPDATE")

    async def _commit(self, session: int, connection: Any, is_open: bool) -> None:
        if self._open.pop(session, None) is not None:
            await connection.execute("COMMIT")

    async def _rollback(self, session: int, connection: Any, is_open: bool) -> None:
        if self._open.pop(session, None) is not None:
            await connection.execute("ROLLBACK")

    async def _savepoint(self, session: int, connection: Any, is_open: bool) -> None:
        if is_open:
            await connection.execute(f"SAVEPOINT s{self._open[session]}")
            self._open[session] += 1

    async def _rollback_to(self, session: int, connection: Any, is_open: bool) -> None:
        if is_open and self._open[session]:
            self._open[session] -= 1
            await connection.execute(f"ROLLBACK TO s{self._open[session]}")

    async def _prepare(self, session: int, connection: Any, is_open: bool) -> None:
        if self._open.pop(session, None) is not None:
            await connection.execute(f"PREPARE TRANSACTION 'p{session}'")

    async def _end_prepared(self, session: int, connection: Any, is_open: bool) -> None:
        if not is_open:
            for row in await connection.fetch(
                "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
            ):
                how = self._random.choice(["COMMIT", "ROLLBACK"])
                await connection.execute(f"{how} PREPARED '{row['gid']}'")

    async def _vacuum(self, session: int, connection: Any, is_open: bool) -> None:
        if not is_open:
            await connection.execute(self._random.choice(["VACUUM t", "VACUUM (FREEZE) t"]))

    async def _exchange_partition(self, session: int, connection: Any, is_open: bool) -> None:
        """Take a partition out, or bring it back: its rows have never been seen, or have been read before."""
        if is_open or self.table != "partitioned":
            return
        if self._detached:
            await connection.execute("ALTER TABLE t ATTACH PARTITION low FOR VALUES IN (0, 1)")
        else:
            await connection.execute("ALTER TABLE t DETACH PARTITION low")
        self._detached = not self._detached

    async def _load(self, session: int, connection: Any, is_open: bool) -> None:
        self._read += await self.load()

    def _some_place(self) -> tuple[str, int]:
        """A table for new rows, and a value of `part`; a child, too, and a partition that is out."""
        if self._detached and self._random.random() < 0.3:
            return "low", self._random.randrange(2)
        table = self._random.choice(["t", "low", "high"]) if self.table == "inherited" else "t"
        return table, self._random.randrange(6)

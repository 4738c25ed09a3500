"""Connections to MySQL and MariaDB, used from ordinary code, and what their errors mean here.

asyncmy, because it hands on many rows at a time. All sessions of the process share an event loop in a thread of its own:
ordinary code waits for what it asks, two ends of a copy go on at once, and Ctrl-C still reaches the main thread.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

from windlass import logs
from windlass.connections import Address
from windlass.connectors.mysql.errors import mysql_errors
from windlass.errors import Code, FatalError, WindlassError, extra

__all__ = ["Session"]

T = TypeVar("T")

_starting = threading.Lock()  # `cache` alone would let two threads start a loop each

_CONNECT_TIMEOUT, _CLOSE_TIMEOUT = 15, 5.0
_KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))  # seconds, seconds, times

# A TIMESTAMP is shown in the session's time zone. What may end a copy is the task's timeout.
_UTC = "SET time_zone = '+00:00'"
_NO_LIMIT = {"MariaDB": "SET max_statement_time = 0", "MySQL": "SET max_execution_time = 0"}
_TLS = {"disabled": None, "required": "none", "verify_ca": "required", "verify_identity": "required"}


class Session:
    """One connection, which commits each statement by itself unless a transaction was begun.

    Integers and floats are read as such, everything else as text, which says it exactly. `as_configured` leaves the
    connection as the server's owner wants it, but for the time zone, and reads values of any type.
    """

    def __init__(self, address: Address, *, as_configured: bool = False) -> None:
        with extra("mysql connections", "mysql"):
            import asyncmy  # noqa: F401 - or say how it is installed
        self.address = address
        self.where = f"{address.host or 'localhost'}:{address.port or 3306}"
        options = {**_options(address), **({} if as_configured else {"conv": _conversions()})}
        self.connection: Any = self.run(_connected(options))
        self.warning_count = 0  # of the last statement that was executed
        version = str(self.connection.get_server_info())
        self.is_mariadb = "MariaDB" in version
        self.title = "MariaDB" if self.is_mariadb else "MySQL"
        try:
            self.execute(_UTC)
            if not as_configured:
                self.execute(_NO_LIMIT[self.title])
        except BaseException:
            self.close()
            raise
        _note_server(address.host, address.port, f"{self.title} {version}")

    @property
    def database(self) -> str:
        """The database that the address names."""
        return self.address.database

    def close(self) -> None:
        """Close the connection; the server undoes what is not committed."""
        with suppress(WindlassError):
            self.run(_closed(self.connection))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the event loop, to its end."""
        future = asyncio.run_coroutine_threadsafe(work, _loop())
        with mysql_errors(self.address, self.where):
            try:
                return future.result()
            except CancelledError:
                raise TimeoutError("cancelled") from None
            except BaseException:
                future.cancel()
                raise

    def execute(self, sql: str) -> int:
        """Run one statement. Returns how many rows it changed."""
        return self.run(self._execute(sql))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a SELECT and return all its rows."""
        return self.run(self._rows(sql))

    def value(self, sql: str) -> Any:
        """The one value of a SELECT; None when it has no row."""
        found = self.rows(sql)
        return found[0][0] if found else None

    def fields(self, sql: str) -> list[Any]:
        """What the server says of the columns of a SELECT: the driver's descriptions of them."""
        return self.run(self._fields(sql))

    def batches(self, sql: str, size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The rows of a SELECT as the server sends them, some at a time."""
        cursor = self.run(self._opened(sql))
        while rows := self.run(cursor.fetchmany(size)):
            yield rows
        self.run(cursor.close())

    def warnings(self) -> list[tuple[Any, ...]]:
        """What the server has noted of the last statement."""
        return self.rows("SHOW WARNINGS")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction that ends with the block: committed, or undone."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            with suppress(WindlassError):
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    async def _execute(self, sql: str) -> int:
        changed = int(await self.connection.query(sql))
        self.warning_count = int(self.connection._result.warning_count)
        return changed

    async def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.cursor()
        await cursor.execute(sql)
        return list(await cursor.fetchall())

    async def _fields(self, sql: str) -> list[Any]:
        await self.connection.query(sql)
        return list(self.connection._result.fields)

    async def _opened(self, sql: str) -> Any:
        from asyncmy.cursors import SSCursor

        cursor = self.connection.cursor(SSCursor)
        await cursor.execute(sql)
        return cursor


async def _connected(options: Mapping[str, Any]) -> Any:
    import asyncmy

    connection: Any = await asyncmy.connect(**options)
    transport = connection._transport
    plugged = transport.get_extra_info("socket") if transport is not None else None
    if plugged is not None and plugged.family in (socket.AF_INET, socket.AF_INET6):
        plugged.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            if hasattr(socket, name):
                plugged.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


async def _closed(connection: Any) -> None:
    result = connection._result
    if result is not None and result.unbuffered_active:  # rows that nobody will read are on their way
        connection.close()
        return
    try:
        await asyncio.wait_for(connection.ensure_closed(), _CLOSE_TIMEOUT)
    finally:
        connection.close()


def _conversions() -> dict[int, Any]:
    """How values are read by the numbers of their types; those that are not here are text."""
    from asyncmy.constants import FIELD_TYPE as TYPE

    integers = (TYPE.TINY, TYPE.SHORT, TYPE.LONG, TYPE.LONGLONG, TYPE.INT24, TYPE.YEAR)
    return {**dict.fromkeys(integers, int), TYPE.FLOAT: float, TYPE.DOUBLE: float}


@cache
def _note_server(host: str | None, port: int | None, version: str) -> None:
    """Log once a process which server this is."""
    logs.debug("connected", server=version, host=host, port=port)


def _loop() -> asyncio.AbstractEventLoop:
    """The event loop that all sessions share, running in a thread of its own."""
    with _starting:
        return _started_loop()


@cache
def _started_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # whoever waits gets the exception
    threading.Thread(target=loop.run_forever, name="mysql", daemon=True).start()
    return loop


os.register_at_fork(after_in_child=_started_loop.cache_clear)  # the child does not have the thread


# --- addresses --------------------------------------------------------------------------------------


def _options(address: Address) -> dict[str, Any]:
    """An address as the driver takes it. Raises FatalError for an option that means nothing here."""
    given = {key.lower().replace("-", "_"): value for key, value in address.options.items()}
    for ours in ("table", "query", "charset"):  # text always travels as utf8mb4, which has all characters
        given.pop(ours, None)
    options: dict[str, Any] = {
        "host": address.host or "localhost",
        "port": address.port or 3306,
        "user": address.user or None,
        "password": address.password,
        "database": address.database or None,
        "unix_socket": given.pop("unix_socket", None),
        "connect_timeout": _seconds(address, given.pop("connect_timeout", str(_CONNECT_TIMEOUT))),
        "program_name": "windlass",
        "charset": "utf8mb4",
        "autocommit": True,
        "ssl": _tls(address, given),
    }
    if given:
        unknown = ", ".join(sorted(given))
        hint = "known: connect_timeout, ssl_mode, ssl_ca, ssl_cert, ssl_key, unix_socket"
        message = f"the connection in {address.origin} has options that MySQL does not take: {unknown}"
        raise FatalError(message, hint=hint, code=Code.UNREADABLE_ADDRESS)
    return options


def _seconds(address: Address, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        message = (
            f"the connection in {address.origin} has connect_timeout={text}: expected a number of seconds"
        )
        raise FatalError(message, code=Code.UNREADABLE_ADDRESS)
    return seconds


def _tls(address: Address, given: dict[str, str]) -> dict[str, Any] | None:
    """How the connection is encrypted, by the names of MySQL's own clients: `ssl_mode=VERIFY_IDENTITY`."""
    files = {key: given.pop(f"ssl_{key}") for key in ("ca", "cert", "key") if given.get(f"ssl_{key}")}
    default = "verify_ca" if "ca" in files else "required" if files else "disabled"
    mode = given.pop("ssl_mode", default).lower()
    if mode not in _TLS:
        message = f"the connection in {address.origin} has ssl_mode={mode}"
        hint = f"expected one of {', '.join(known.upper() for known in _TLS)}"
        raise FatalError(message, hint=hint, code=Code.UNREADABLE_ADDRESS)
    verify = _TLS[mode]
    if verify is None:
        return None
    return {**files, "verify_mode": verify, "check_hostname": mode == "verify_identity"}

"""Connections to Postgres, used from ordinary code.

asyncpg on uvloop, because asyncpg hands on many rows of a COPY at a time where other drivers hand on
one. All sessions of the process share an event loop in a thread of its own: ordinary code waits for
what it asks, two ends of a copy go on at once, and Ctrl-C still reaches the main thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from windlass import logs
from windlass.connections import Address
from windlass.errors import FatalError, RetryableError, extra

if TYPE_CHECKING:
    import asyncpg

__all__ = ["Session", "integrity_error", "lock_timed_out", "postgres_errors"]

T = TypeVar("T")

_starting = threading.Lock()  # `cache` alone would let two threads start a loop each

_CONNECT_TIMEOUT = 15.0
_OWN_OPTIONS = ("table", "query")  # what `windlass copy postgresql://…?table=t` adds to the address

# SQLSTATE classes after which the same command may work: connection, resources, operator, conflict.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_RETRYABLE_CLASSES = ("08", "40", "53", "57", "58")
_LOCK_NOT_AVAILABLE = "55P03"


class Session:
    """One connection. Every statement is part of the transaction that its user opened."""

    def __init__(self, address: Address) -> None:
        with extra("postgres connections", "postgres"):
            import asyncpg
        self.address = address
        self.connection: asyncpg.Connection[Any] = self.run(
            asyncpg.connect(
                _dsn(address),
                password=address.password or None,
                timeout=_CONNECT_TIMEOUT,
                statement_cache_size=0,  # nothing is run twice, and poolers do not like it
                server_settings={"application_name": "windlass"},
            )
        )
        _note_server(address.host, address.port, self.connection.get_settings().server_version)

    def close(self) -> None:
        """Close the connection; at once when it is in the middle of something, which is then undone."""
        if self.connection.is_closed():
            return
        with postgres_errors(self.address, ignore=True):
            if self.connection.is_in_transaction():
                _loop().call_soon_threadsafe(self.connection.terminate)
            else:
                self.run(self.connection.close(timeout=5))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the event loop, to its end."""
        future = asyncio.run_coroutine_threadsafe(work, _loop())
        with postgres_errors(self.address):
            try:
                return future.result()
            except BaseException:
                future.cancel()
                raise

    def execute(self, sql: str) -> str:
        """Run SQL without parameters, any number of statements. Returns the status of the last."""
        return self.run(self.connection.execute(sql))

    def fetch(self, sql: str, *args: object) -> list[Any]:
        return self.run(self.connection.fetch(sql, *args))

    def value(self, sql: str, *args: object) -> Any:
        return self.run(self.connection.fetchval(sql, *args))

    def row(self, sql: str, *args: object) -> Any:
        return self.run(self.connection.fetchrow(sql, *args))

    def batches(self, sql: str, size: int = 1000) -> Iterator[list[Any]]:
        """The rows of a SELECT, some at a time, by a cursor in the open transaction."""
        self.execute(f"DECLARE windlass_cursor NO SCROLL CURSOR FOR {sql}")
        while rows := self.fetch(f"FETCH {size} FROM windlass_cursor"):
            yield rows
        self.execute("CLOSE windlass_cursor")

    @property
    def version(self) -> int:
        """The server's major version."""
        return self.connection.get_server_version().major


@cache
def _note_server(host: str | None, port: int | None, version: str) -> None:
    """Log once a process which server this is."""
    logs.debug("connected", server=f"PostgreSQL {version}", host=host, port=port)


def _loop() -> asyncio.AbstractEventLoop:
    """The event loop that all sessions share, running in a thread of its own."""
    with _starting:
        return _started_loop()


@cache
def _started_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ModuleNotFoundError:  # there is none for Windows
        loop = asyncio.new_event_loop()
    else:
        loop = uvloop.new_event_loop()
    threading.Thread(target=loop.run_forever, name="postgres", daemon=True).start()
    return loop


def _dsn(address: Address) -> str:
    options = {key: value for key, value in address.options.items() if key not in _OWN_OPTIONS}
    return replace(address, scheme="postgresql", password="", options=options).uri()


@contextmanager
def postgres_errors(address: Address, *, ignore: bool = False) -> Iterator[None]:
    """Turn asyncpg's exceptions into ours; with `ignore`, into nothing."""
    import asyncpg

    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, CancelledError) as exc:
        if not ignore:
            raise _translated(exc, address) from exc


def _translated(exc: Exception, address: Address) -> FatalError | RetryableError:
    import asyncpg

    where = f"{address.host or 'localhost'}:{address.port or 5432}"
    if isinstance(exc, asyncpg.PostgresError):
        message = _message(exc)
        if str(exc.sqlstate)[:2] in _RETRYABLE_CLASSES or exc.sqlstate == _LOCK_NOT_AVAILABLE:
            return RetryableError(f"postgres at {where}: {message}")
        return FatalError(message, hint=_hint(exc, address))
    if isinstance(exc, TimeoutError):
        return RetryableError(f"postgres at {where} did not answer within {_CONNECT_TIMEOUT:.0f} s")
    if isinstance(exc, asyncpg.ClientConfigurationError):
        return FatalError(f"the address of postgres at {where} is not usable: {exc}")
    if isinstance(exc, ConnectionRefusedError):
        hint = f"is the server running? the address comes from {address.origin}"
        return RetryableError(f"postgres at {where} refuses connections", hint=hint)
    if isinstance(exc, asyncpg.InterfaceError) and "SSL" in str(exc):
        return FatalError(f"postgres at {where}: {exc}")
    return RetryableError(f"lost the connection to postgres at {where}: {str(exc) or type(exc).__name__}")


def _message(exc: asyncpg.PostgresError) -> str:
    parts = [str(exc.args[0]) if exc.args else type(exc).__name__]
    details = exc.as_dict()
    if detail := details.get("detail"):
        parts.append(str(detail))
    if (context := details.get("context")) and str(context).startswith("COPY "):
        parts.append(str(context))
    return "; ".join(parts)


def _hint(exc: asyncpg.PostgresError, address: Address) -> str | None:
    if exc.sqlstate in ("28P01", "28000"):
        return f"check the user and password in {address.origin}"
    if exc.sqlstate == "3D000":
        return f"check the database name in {address.origin}"
    hint = exc.as_dict().get("hint")
    return str(hint) if hint else None


def lock_timed_out(error: Exception) -> bool:
    """Whether a statement gave up waiting for a lock."""
    return getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def integrity_error(error: Exception) -> asyncpg.PostgresError | None:
    """The server's error behind ours, when it is about a row: bad data or a violated constraint."""
    import asyncpg

    cause = error.__cause__
    if isinstance(cause, asyncpg.PostgresError) and str(cause.sqlstate)[:2] in ("22", "23", "P0"):
        return cause
    return None

"""Connections to Postgres, used from ordinary code.

asyncpg on uvloop, because asyncpg hands on many rows of a COPY at a time where other drivers hand on
one. All sessions of the process share an event loop in a thread of its own: ordinary code waits for
what it asks, two ends of a copy go on at once, and Ctrl-C still reaches the main thread.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from windlass import logs
from windlass.connections import Address
from windlass.connectors.postgres.silence import is_lost, keep_alive, repeat
from windlass.errors import Code, FatalError, RetryableError, WindlassError, extra, reason_of

if TYPE_CHECKING:
    import asyncpg

__all__ = [
    "Session",
    "integrity_error",
    "is_there_already",
    "is_unknown_name",
    "lock_timed_out",
    "not_permitted",
    "postgres_errors",
]

T = TypeVar("T")

_starting = threading.Lock()  # `cache` alone would let two threads start a loop each

_CONNECT_TIMEOUT, _CLOSE_TIMEOUT = 15.0, 5.0
_SILENCE = 60.0
_OWN_OPTIONS = ("table", "query", "silence")  # ours in an address; the server would not know them

# SQLSTATE classes after which the same command may work: connection, resources, operator, conflict.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_RETRYABLE_CLASSES = ("08", "40", "53", "57", "58")
_LOCK_NOT_AVAILABLE, _OBJECT_IN_USE = "55P03", "55006"
_RETRYABLE = (
    _LOCK_NOT_AVAILABLE,
    _OBJECT_IN_USE,
    "25P03",
    "25P04",
)  # the last two: it took the transaction too long
_CODES = {  # of SQLSTATEs, and of classes of them
    "08": Code.CONNECTION_LOST,
    "28": Code.NOT_LET_IN,
    "3D000": Code.NOT_LET_IN,
    "53100": Code.DISK_FULL,
    "42P01": Code.NO_TABLE,
    "42703": Code.NO_COLUMN,
}
_INSUFFICIENT_PRIVILEGE = "42501"


# Values travel as text now and then, so what text says must not depend on how a server is set up: a
# date of the style DMY would be read as another one, and fewer digits of a float as another number.
_EXACT_TEXT = (
    "SET DateStyle = ISO; SET IntervalStyle = postgres; SET TimeZone = UTC; SET extra_float_digits = 3; "
    "SET bytea_output = hex; SET xmloption = content; SET lc_monetary = 'C'; "
    "SET statement_timeout = 0"  # a copy takes as long as it takes; what may end it is the task's timeout
)


class Session:
    """One connection. Every statement is part of the transaction that its user opened.

    It is set up so that text says a value exactly; `as_configured` leaves it as the server's owner wants it.
    """

    def __init__(self, address: Address, *, as_configured: bool = False) -> None:
        with extra("postgres connections", "postgres"):
            import asyncpg
        self.address = address
        self.silence = _seconds(address)  # for so many seconds a server may say nothing
        self._name = f"windlass {secrets.token_hex(8)}"
        self._at_work, self._steps = False, 0
        self._repeated: Future[None] | None = None
        self.connection: asyncpg.Connection[Any] = self._result_of(
            asyncpg.connect(
                _dsn(address),
                password=address.password or None,
                timeout=min(self.silence, _CONNECT_TIMEOUT),
                statement_cache_size=0,  # nothing is run twice, and poolers do not like it
                server_settings={"application_name": self._name},
            )
        )
        keep_alive(self.connection, self.silence)
        if not as_configured:
            self.execute(_EXACT_TEXT)
        _note_server(address.host, address.port, self.connection.get_settings().server_version)

    @property
    def keeps_any_bytes(self) -> bool:
        """Whether text of the database need not be in any encoding: the server neither knows nor checks it."""
        return bool(self.connection.get_settings().server_encoding == "SQL_ASCII")

    def close(self) -> None:
        """Close the connection; at once when it is in the middle of something, which is then undone.

        What goes wrong here is not an error: whatever was done before has happened, or has not.
        """
        if self._repeated is not None:
            self._repeated.cancel()
        if self.connection.is_closed():
            return
        with suppress(WindlassError), postgres_errors(self.address):
            if self.connection.is_in_transaction():
                _loop().call_soon_threadsafe(self.connection.terminate)
            else:
                self.run(self.connection.close(timeout=_CLOSE_TIMEOUT))

    def repeat(self, sql: str, *, every: float) -> None:
        """Run SQL every so many seconds, over connections of its own, until this session is closed."""
        work = repeat(_dsn(self.address), self.address.password or None, sql, every)
        self._repeated = asyncio.run_coroutine_threadsafe(work, _loop())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the event loop, to its end. Raises RetryableError when the server falls silent."""
        return self._result_of(self.watched(work))

    async def watched(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of what this connection is used for. Raises RetryableError when the server falls silent."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                steps = self._steps
                done, _ = await asyncio.wait([task], timeout=self.silence)
                if done:
                    return task.result()
                if steps == self._steps and not self._at_work:
                    await self._require_answer()
        finally:
            task.cancel()
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Say that it is us whom the server waits for: with the next rows, or until we have taken some."""
        self._at_work = True
        try:
            yield
        finally:
            self._at_work = False
            self._steps += 1

    async def _require_answer(self) -> None:
        """Raise RetryableError when nothing can be expected of the server any more."""
        patience = min(self.silence, _CONNECT_TIMEOUT)
        if await is_lost(_dsn(self.address), self.address.password or None, self._name, patience):
            self.connection.terminate()
            where = f"{self.address.host or 'localhost'}:{self.address.port or 5432}"
            message = f"lost the connection to postgres at {where}: nothing came for {self.silence:g} s"
            raise RetryableError(message, code=Code.CONNECTION_LOST)

    def _result_of(self, work: Coroutine[Any, Any, T]) -> T:
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
    def is_busy(self) -> bool:
        """Whether it is in the middle of something, or closed."""
        return self.connection.is_closed() or self.connection.is_in_transaction()

    @property
    def is_utf8(self) -> bool:
        """Whether the server's bytes of a text are in the order of its characters."""
        return str(self.connection.get_settings().server_encoding) == "UTF8"

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
    # whoever waits gets the exception; asyncpg leaves it in futures of its own, too, which nobody asks
    loop.set_exception_handler(lambda *_: None)
    threading.Thread(target=loop.run_forever, name="postgres", daemon=True).start()
    return loop


os.register_at_fork(after_in_child=_started_loop.cache_clear)  # the child does not have the thread


def _seconds(address: Address) -> float:
    """How long nothing may come from a server before it is asked whether it still is at work."""
    text = address.options.get("silence", "")
    try:
        seconds = float(text or _SILENCE)
    except ValueError:
        seconds = 0
    if seconds <= 0:
        raise FatalError(f"`silence={text}`: expected a number of seconds", hint=f"see {address.origin}")
    return seconds


def _dsn(address: Address) -> str:
    options = {key: value for key, value in address.options.items() if key not in _OWN_OPTIONS}
    return replace(address, scheme="postgresql", password="", options=options).uri()


@contextmanager
def postgres_errors(address: Address) -> Iterator[None]:
    """Turn asyncpg's exceptions into ours."""
    import asyncpg

    ended = asyncpg.InternalClientError  # of a statement after the server has ended the session
    expected = (asyncpg.PostgresError, asyncpg.InterfaceError, ended, OSError, TimeoutError, CancelledError)
    try:
        yield
    except expected as exc:
        raise _translated(exc, address) from exc
    except RuntimeError as exc:  # uvloop's for a write to a connection that has just been lost
        if "is closed" not in str(exc):
            raise
        raise _translated(exc, address) from exc


def _translated(exc: Exception, address: Address) -> FatalError | RetryableError:
    import asyncpg

    where = f"{address.host or 'localhost'}:{address.port or 5432}"
    if isinstance(exc, asyncpg.PostgresError):
        message = _message(exc)
        code = _CODES.get(str(exc.sqlstate)) or _CODES.get(str(exc.sqlstate)[:2])
        if str(exc.sqlstate)[:2] in _RETRYABLE_CLASSES or exc.sqlstate in _RETRYABLE:
            return RetryableError(f"postgres at {where}: {message}", code=code)
        return FatalError(message, hint=_hint(exc, address), code=code)
    if isinstance(exc, TimeoutError):
        return RetryableError(f"postgres at {where} did not answer in time", code=Code.CONNECTION_LOST)
    if isinstance(exc, asyncpg.ClientConfigurationError):
        message = f"the address of postgres at {where} is not usable: {exc}"
        return FatalError(message, code=Code.UNREADABLE_ADDRESS)
    if isinstance(exc, ConnectionRefusedError):
        hint = f"is the server running? the address comes from {address.origin}"
        message = f"postgres at {where} refuses connections"
        return RetryableError(message, hint=hint, code=Code.CONNECTION_REFUSED)
    if isinstance(exc, asyncpg.InterfaceError) and "SSL" in str(exc):
        return FatalError(f"postgres at {where}: {exc}")
    if isinstance(exc, socket.gaierror):
        hint = f"is the name right, and is there a network? the address comes from {address.origin}"
        message = f"there is no host {address.host!r}: {reason_of(exc)}"
        return RetryableError(message, hint=hint, code=Code.NO_HOST)
    message = f"lost the connection to postgres at {where}: {reason_of(exc)}"
    return RetryableError(message, code=Code.CONNECTION_LOST)


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


def not_permitted(error: Exception) -> bool:
    """Whether the role may not do what a statement does."""
    return getattr(error.__cause__, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE


def is_there_already(error: Exception) -> bool:
    """Whether somebody else has just made what a statement makes; pg_type is the first to notice."""
    return getattr(error.__cause__, "sqlstate", None) in ("42P07", "42710", "23505")


def integrity_error(error: Exception) -> asyncpg.PostgresError | None:
    """The server's error behind ours, when it is about a row: bad data, a violated constraint, or too much."""
    import asyncpg

    cause = error.__cause__
    if not isinstance(cause, asyncpg.PostgresError):
        return None
    state = str(cause.sqlstate)
    about_row_security = state == "42501" and "row-level security policy" in str(cause)
    is_about_row = state[:2] in _OF_ROWS or state[0] not in "0123456789FHPX" or about_row_security
    return cause if is_about_row else None


def is_unknown_name(error: Exception) -> bool:
    """Whether the server does not know a name, which the statement or a value in it may have."""
    state = str(getattr(error.__cause__, "sqlstate", ""))
    return (state[:2] in ("42", "3F") and state != _INSUFFICIENT_PRIVILEGE) or state == "0A000"


_OF_ROWS = ("09", "21", "22", "23", "38", "39", "44", "54", "P0")

"""A connection by a driver of ADBC: where the driver is, how it is asked, and what its errors mean here.

https://arrow.apache.org/adbc/current/format/specification.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from windlass.connections import Address
from windlass.errors import Code, FatalError, RetryableError, WindlassError, extra
from windlass.logs import MASK
from windlass.stopping import told_at_once

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Session", "driver_and_options"]

T = TypeVar("T")

_FOR_DRIVER = ("username", "password")  # and whatever has a dot in it
_NOT_LET_IN = (
    "28",
    "42501",
)  # how states of SQL begin: https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING = ("08", "40", "53", "55P03", "57")
_NO_TABLE, _NO_COLUMN = ("42P01", "42S02"), ("42703", "42S22")


class Session:
    """One connection. A request to stop need not wait for an answer of the driver."""

    def __init__(self, address: Address) -> None:
        with extra("connections by ADBC", "adbc"):
            import adbc_driver_manager.dbapi  # noqa: F401 - or say how it is installed
        self.address = address
        self.driver, self._options = driver_and_options(address)
        self._cursor: Any = None
        self._connection: Any = self._asked(self._connected)
        self._telling = ExitStack()
        self._telling.enter_context(told_at_once(self._cancel))

    def select(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run a SELECT: its schema, and its batches as they come. It ends the one before."""
        self._end_statement()
        reader = self._asked(lambda: self._executed(sql))
        return reader.schema, self._batches(reader)

    def close(self) -> None:
        """Cancel what is running, and close the connection."""
        self._telling.close()
        self._end_statement()
        with suppress(WindlassError):
            self._asked(self._connection.close)

    def _connected(self) -> Any:
        from adbc_driver_manager import dbapi

        name = f"adbc_driver_{self.driver}"
        if find_spec(name) is not None:  # a package with the driver in it, which knows where that is
            module = import_module(f"{name}.dbapi") if find_spec(f"{name}.dbapi") else import_module(name)
            path = getattr(import_module(name), "_driver_path", None) or getattr(module, "driver_path", None)
            if path is not None:
                return dbapi.connect(driver=str(path()), db_kwargs=self._options, autocommit=True)
        return dbapi.connect(driver=self.driver, db_kwargs=self._options, autocommit=True)

    def _executed(self, sql: str) -> Any:
        self._cursor = self._connection.cursor()
        self._cursor.execute(sql)
        return self._cursor.fetch_record_batch()

    def _batches(self, reader: Any) -> Iterator[pa.RecordBatch]:
        while (batch := self._asked(lambda: next(reader, None))) is not None:
            yield batch

    def _end_statement(self) -> None:
        self._cancel()
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            with suppress(WindlassError):
                self._asked(cursor.close)

    def _cancel(self) -> None:
        """End what the server is at; whoever waits for it meets an error."""
        if self._cursor is not None:
            with suppress(Exception):  # there is nothing to cancel, or the driver cannot
                self._cursor.adbc_cancel()

    def _asked(self, work: Callable[[], T]) -> T:
        with _errors(self.address, self.driver):
            return work()


def driver_and_options(address: Address) -> tuple[str, dict[str, str]]:
    """The name of the driver, and what it is given: `uri`, and what stands in the address for the driver itself.

    >>> driver_and_options(Address("adbc", "h", scheme="adbc+flightsql", options={"a.b": "c", "d": "e"}))
    ('flightsql', {'a.b': 'c', 'uri': 'flightsql://h?d=e'})

    Raises FatalError when the address does not say which driver.
    """
    driver = address.scheme.partition("+")[2].lower()
    if not driver.replace("_", "").replace("-", "").isalnum():
        message = f"the connection in {address.origin} does not say which driver of ADBC it is for"
        hint = "name it in the address: adbc+postgresql://…, adbc+snowflake://…"
        raise FatalError(message, hint=hint, code=Code.UNREADABLE_ADDRESS)
    known = (*_FOR_DRIVER, "uri")
    given = {key: value for key, value in address.options.items() if key in known or "." in key}
    rest = {
        key: value
        for key, value in address.options.items()
        if key not in given and key not in ("table", "query")
    }
    if "uri" not in given and address.host:
        plain = Address(
            address.type,
            address.host,
            address.port,
            address.user,
            address.password,
            address.database,
            rest,
            driver,
        )
        given["uri"] = plain.uri()
    return driver.replace("-", "_"), given


@contextmanager
def _errors(address: Address, driver: str) -> Iterator[None]:
    """Turn the exceptions of drivers into ours."""
    import adbc_driver_manager
    import pyarrow as pa

    try:
        yield
    except (adbc_driver_manager.Error, pa.ArrowException, OSError) as exc:
        raise _translated(exc, address, driver) from exc


def _translated(exc: Exception, address: Address, driver: str) -> WindlassError:
    from adbc_driver_manager import AdbcStatusCode as Status

    said = _without_secrets(str(exc), address)
    status, state = getattr(exc, "status_code", None), getattr(exc, "sqlstate", None) or ""
    message = f"{driver}: {said}"
    if status in (Status.UNAUTHENTICATED, Status.UNAUTHORIZED) or state.startswith(_NOT_LET_IN):
        hint = f"check user, password and database in {address.origin}"
        return FatalError(message, hint=hint, code=Code.NOT_LET_IN)
    if state in _NO_TABLE or (status is Status.NOT_FOUND and not state and "library" not in said.lower()):
        return FatalError(message, code=Code.NO_TABLE)
    if state in _NO_COLUMN:
        return FatalError(message, code=Code.NO_COLUMN)
    if state.startswith(_PASSING) or (not state and status in (Status.TIMEOUT, Status.CANCELLED)):
        return RetryableError(message, code=Code.CONNECTION_LOST if state.startswith("08") else None)
    if status is Status.IO and not state:
        return RetryableError(message, code=Code.CONNECTION_LOST)
    hint = ""
    if "driver" in said.lower() and ("load" in said.lower() or "not found" in said.lower()):
        hint = f"install the driver: pip install adbc-driver-{driver}, or dbc install {driver}"
    return FatalError(message, hint=hint or None)


def _without_secrets(text: str, address: Address) -> str:
    for secret in address.secrets():
        if secret:
            text = text.replace(secret, MASK)
    return text

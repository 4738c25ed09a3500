"""Connections to Oracle by python-oracledb in its thin mode, which needs no program of Oracle's."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from windlass import logs
from windlass.connections import Address
from windlass.connectors.oracle.errors import oracle_errors
from windlass.connectors.sql.address_options import AddressOptions
from windlass.errors import Code, FatalError, extra
from windlass.stopping import told_at_once

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Session"]

_KNOWN = ("ca", "connect_timeout", "encrypt", "verify_host")


class Session:
    """One connection, in one transaction that only reads, and sees one state of the database."""

    def __init__(self, address: Address) -> None:
        with extra("oracle connections", "oracle"):
            import oracledb
        self.address = address
        self.where = f"{address.host or 'localhost'}:{address.port or 1521}"
        self._is_reading = False
        options = _options(address)
        with oracle_errors(address, self.where):
            self._connection: Any = oracledb.connect(**options)
        self._telling = ExitStack()
        self._telling.enter_context(told_at_once(self._cancel))
        logs.debug("connected", server=f"Oracle {self._connection.version}", host=address.host)
        try:
            self._execute("SET TRANSACTION READ ONLY")
        except BaseException:
            self.close()
            raise

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a SELECT and return all its rows."""
        with oracle_errors(self.address, self.where), self._connection.cursor() as cursor:
            cursor.execute(sql)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def fields(self, sql: str) -> Sequence[Any]:
        """What the server says of the columns of a SELECT: the driver's descriptions of them."""
        with oracle_errors(self.address, self.where), self._connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.description)

    def batches(self, sql: str, size: int) -> Iterator[pa.RecordBatch]:
        """The rows of a SELECT as the server sends them, some at a time. Numbers are never made floats."""
        import pyarrow as pa

        self._is_reading = True
        with oracle_errors(self.address, self.where):
            for frame in self._connection.fetch_df_batches(sql, size=size, fetch_decimals=True):
                yield from pa.table(frame).to_batches()
        self._is_reading = False

    def close(self) -> None:
        """Close the connection, and end what the server is at."""
        self._telling.close()
        self._cancel()
        with suppress(Exception):
            self._connection.close()

    def _cancel(self) -> None:
        """End what the server is at; whoever waits for it meets an error."""
        if self._is_reading:
            with suppress(Exception):  # a connection that is lost has nothing to end
                self._connection.cancel()

    def _execute(self, sql: str) -> None:
        with oracle_errors(self.address, self.where), self._connection.cursor() as cursor:
            cursor.execute(sql)


# --- addresses --------------------------------------------------------------------------------------


def _options(address: Address) -> dict[str, Any]:
    """An address as the driver takes it. Raises FatalError for an option that means nothing here."""
    said = AddressOptions(address, _KNOWN)
    if not address.database:
        hint = "name it in the address: oracle://user:password@host:1521/service"
        raise FatalError(
            f"the connection in {address.origin} names no service", hint=hint, code=Code.UNREADABLE_ADDRESS
        )
    encrypted, verifies = said.is_on("encrypt"), said.is_on("verify_host")
    return {
        "host": address.host or "localhost",
        "port": address.port or 1521,
        "service_name": address.database,
        "user": address.user,
        "password": address.password,
        "protocol": "tcps" if encrypted else "tcp",
        "ssl_context": _trusting(said.file("ca"), verifies) if encrypted else None,
        "ssl_server_dn_match": verifies,
        "tcp_connect_timeout": said.connect_timeout(),
        "expire_time": 1,  # minutes of silence after which the connection is looked at
        "program": "windlass",
    }


def _trusting(file: str | None, verifies: bool) -> ssl.SSLContext:
    """Trust the authorities of this machine, or those in the file."""
    context = ssl.create_default_context(cafile=file)
    context.check_hostname = verifies
    return context

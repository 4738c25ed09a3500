"""Connections to SQL Server by python-tds, which speaks the protocol itself and needs no program of Microsoft's."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from windlass import logs
from windlass.connections import Address
from windlass.connectors.mssql.errors import mssql_errors
from windlass.connectors.mssql.trusting import look_at_hosts
from windlass.connectors.sql.address_options import AddressOptions
from windlass.errors import Code, FatalError, extra
from windlass.stopping import told_at_once

__all__ = ["Session"]

_KNOWN = ("ca", "connect_timeout", "encrypt", "verify_host")
_AUTHORITIES = (  # of this machine, where OpenSSL of Python does not say
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


class Session:
    """One connection, in which each statement is a transaction unless one was begun."""

    def __init__(self, address: Address) -> None:
        with extra("mssql connections", "mssql"):
            import OpenSSL  # noqa: F401
            import pytds  # noqa: F401 - or say how they are installed
        self.address = address
        self.where = f"{address.host or 'localhost'}:{address.port or 1433}"
        self._cursor: Any = None
        options = _options(address)
        with mssql_errors(address, self.where):
            self._connection: Any = _connected(options)
        self._telling = ExitStack()
        self._telling.enter_context(told_at_once(self._cut))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a SELECT and return all its rows."""
        return [row for rows in self.batches(sql, 1000) for row in rows]

    def value(self, sql: str) -> Any:
        """The one value of a SELECT; None when it has no row."""
        found = self.rows(sql)
        return found[0][0] if found else None

    def batches(self, sql: str, size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The rows of a SELECT as the server sends them, some at a time."""
        with self.errors():
            cursor = self.executed(sql)
            while rows := cursor.fetchmany(size):
                yield rows
            self._cursor = None

    def executed(self, sql: str) -> Any:
        """Run statements. Returns the driver's cursor, in which what they answered waits."""
        self._cursor = self._connection.cursor()
        self._cursor.execute(sql)
        return self._cursor

    def errors(self) -> Any:
        """A block in which the driver's exceptions become ours."""
        return mssql_errors(self.address, self.where)

    def close(self) -> None:
        """Close the connection. The server ends what it is at, and undoes what is not committed."""
        self._telling.close()
        self._cut()

    def _cut(self) -> None:
        """End what the server is at, and the connection; whoever waits for it meets an error."""
        if self._cursor is not None:
            with suppress(
                Exception
            ):  # a connection that is lost; one whose answer was read in half is of no more use
                self._cursor._session.put_cancel()
            with suppress(Exception):
                self._plugged.shutdown(socket.SHUT_RDWR)
        with suppress(Exception):
            self._connection.close()

    @property
    def _plugged(self) -> socket.socket:
        """The socket, below what encrypts it; closing it would not wake up whoever reads from it."""
        found = self._connection._tds_socket.sock
        plugged: socket.socket = getattr(found, "_transport", found)
        return plugged


def _connected(options: dict[str, Any]) -> Any:
    import pytds

    look_at_hosts()
    # the driver tries again and again, and would say of a server that is not there that time is up
    socket.create_connection((options["dsn"], options["port"]), options["login_timeout"]).close()
    connection = pytds.connect(**options)
    logs.debug("connected", server=f"SQL Server {connection.product_version}", host=options["dsn"])
    return connection


# --- addresses --------------------------------------------------------------------------------------


def _options(address: Address) -> dict[str, Any]:
    """An address as the driver takes it. Raises FatalError for an option that means nothing here."""
    said = AddressOptions(address, _KNOWN)
    return {
        "dsn": address.host or "localhost",
        "port": address.port or 1433,
        "user": address.user,
        "password": address.password,
        "database": address.database or None,
        "appname": "windlass",
        "autocommit": True,
        "timeout": None,  # what may end a copy is the task's timeout
        "login_timeout": said.connect_timeout(),
        "validate_host": said.is_on("verify_host"),
        "cafile": _authorities(address, said) if said.is_on("encrypt") else None,
    }


def _authorities(address: Address, said: AddressOptions) -> str:
    """The file of the authorities that are trusted."""
    named = said.file("ca")
    if named is not None:
        return named
    known = (ssl.get_default_verify_paths().cafile or "", *_AUTHORITIES)
    found = next((file for file in known if Path(file).is_file()), None)
    if found is None:
        message = "this machine has no file of authorities by which a server could be trusted"
        raise FatalError(message, hint=f"name one in {address.origin}: ?ca=…", code=Code.NOT_LET_IN)
    return found

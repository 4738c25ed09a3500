"""What the errors of the server and of its driver mean here.

https://mariadb.com/kb/en/mariadb-error-code-reference/ and
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from windlass.connections import Address
from windlass.connectors.rows import Reason
from windlass.errors import Code, FatalError, RetryableError, WindlassError, reason_of

__all__ = ["mysql_errors", "number_of", "reason_of_row"]

_NOT_LET_IN = (1044, 1045, 1049, 1130, 1251, 1275, 1698, 3118, 3159)
_REFUSED_RIGHT = (1142, 1143, 1227, 1370)
_NO_TABLE, _NO_COLUMN = 1146, 1054
_DISK_FULL = (1021, 1114)
_LOST = (1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2014, 2055, 3024)
_PASSING = (1037, 1038, 1040, 1041, 1203, 1205, 1206, 1213, 1226, 1317, 1412, 1637, 1969, 3058, 4031)
"""Too many connections or no memory; a lock or statement that took too long; a deadlock; a table that was changed."""
_CANNOT_CONNECT, _NO_HOST = 2003, 2005

_ROWS = {
    1048: Reason.IS_NULL,
    1364: Reason.IS_NULL,
    1062: Reason.UNIQUE_VIOLATION,
    1586: Reason.UNIQUE_VIOLATION,
    1452: Reason.FOREIGN_KEY_VIOLATION,
    1216: Reason.FOREIGN_KEY_VIOLATION,
    1451: Reason.FOREIGN_KEY_VIOLATION,
    3819: Reason.CHECK_VIOLATION,
    4025: Reason.CHECK_VIOLATION,
    1406: Reason.TOO_LONG,
    1264: Reason.OUT_OF_RANGE,
    1690: Reason.OUT_OF_RANGE,
    1265: Reason.TYPE_MISMATCH,
    1292: Reason.TYPE_MISMATCH,
    1366: Reason.TYPE_MISMATCH,
    1526: Reason.REFUSED,  # no partition for it
    1644: Reason.REFUSED,  # SIGNAL of a trigger
    3140: Reason.TYPE_MISMATCH,
    4038: Reason.TYPE_MISMATCH,  # of MariaDB's JSON functions, which a CHECK or a generated column uses
}


def number_of(error: Exception) -> int | None:
    """The server's number of the error behind ours."""
    args = getattr(error.__cause__, "args", ())
    return args[0] if args and isinstance(args[0], int) else None


def reason_of_row(error: Exception) -> Reason | None:
    """Why the server refused a row; None when the error is about something else."""
    return _ROWS.get(number_of(error) or 0)


@contextmanager
def mysql_errors(address: Address, where: str) -> Iterator[None]:
    """Turn the driver's exceptions into ours."""
    from asyncmy.errors import MySQLError

    try:
        yield
    except MySQLError as exc:
        raise _translated(exc, address, f"mysql at {where}") from exc
    except socket.gaierror as exc:
        raise _no_host(address, reason_of(exc)) from exc
    except UnicodeDecodeError as exc:
        message = f"mysql at {where}: text that is not UTF-8: {exc.reason}"
        raise FatalError(message, hint="read such a column as bytes: CAST(… AS BINARY) in a `query`") from exc
    except (OSError, TimeoutError, AssertionError) as exc:  # the driver asserts that an answer is whole
        message = f"lost the connection to mysql at {where}: {reason_of(exc)}"
        raise RetryableError(message, code=Code.CONNECTION_LOST) from exc


def _translated(exc: Exception, address: Address, server: str) -> WindlassError:
    number, said = (*exc.args, "")[:2] if exc.args else (0, "")
    if number in _NOT_LET_IN:
        hint = f"check user, password and database in {address.origin}"
        if number == 3159:
            hint = "encrypt the connection: add ?ssl_mode=REQUIRED to its address"
        return FatalError(f"{server} does not let us in: {said}", hint=hint, code=Code.NOT_LET_IN)
    if number in _REFUSED_RIGHT:
        return FatalError(f"{said}", hint="the user lacks a privilege for this", code=Code.NOT_LET_IN)
    if number in _DISK_FULL:
        hint = "free some space and try again"
        return RetryableError(f"{server}: {said}", hint=hint, code=Code.DISK_FULL)
    if number == _CANNOT_CONNECT:
        return _unreachable(exc, address, server)
    if number in _LOST or (number == 0 and "connect" in str(said).lower()):
        return RetryableError(f"lost the connection to {server}: {said}", code=Code.CONNECTION_LOST)
    if number in _PASSING:
        return RetryableError(f"{server}: {said}")
    codes = {_NO_TABLE: Code.NO_TABLE, _NO_COLUMN: Code.NO_COLUMN}
    return FatalError(str(said or exc), code=codes.get(number))


def _unreachable(exc: Exception, address: Address, server: str) -> WindlassError:
    cause = exc.__cause__
    if isinstance(cause, ConnectionRefusedError) or "Connect call failed" in str(exc):
        hint = f"is the server running? the address comes from {address.origin}"
        return RetryableError(f"{server} refuses connections", hint=hint, code=Code.CONNECTION_REFUSED)
    if isinstance(cause, socket.gaierror):
        return _no_host(address, reason_of(cause))
    if cause is not None and "CERTIFICATE_VERIFY_FAILED" in str(cause):
        hint = "name the authority in the address: ?ssl_ca=…"
        message = f"{server} has a certificate that is not trusted: {cause}"
        return FatalError(message, hint=hint, code=Code.NOT_LET_IN)
    return RetryableError(f"{server} cannot be reached: {cause or exc}", code=Code.CONNECTION_LOST)


def _no_host(address: Address, reason: str) -> RetryableError:
    hint = f"is the name right, and is there a network? the address comes from {address.origin}"
    return RetryableError(f"there is no host {address.host!r}: {reason}", hint=hint, code=Code.NO_HOST)

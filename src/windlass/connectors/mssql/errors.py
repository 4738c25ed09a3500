"""What the errors of SQL Server and of its driver mean here.

https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors and, for those that
pass, https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from windlass.connections import Address
from windlass.errors import Code, FatalError, RetryableError, WindlassError, reason_of
from windlass.logs import MASK

__all__ = ["mssql_errors", "translated_number"]

_NOT_LET_IN = (916, 4060, 4064, 15007, 18450, 18452, 18456, 18458, 18461, 18470, 18486, 18487, 18488, 40615)
_REFUSED_RIGHT = (229, 230, 262, 297, 300, 371)
_NO_TABLE, _NO_COLUMN = 208, 207
_DISK_FULL = (1101, 1105, 9002)
_LOST = (596, 6005, 17142, 17143, 18002, 233, 10053, 10054, 10060)
_PASSING = (
    *(601, 701, 802, 1204, 1205, 1221, 1222),  # no memory, no locks, a deadlock
    *(3960, 3961, 3966),  # a snapshot that is not to be had any more
    *(921, 922, 952, 976, 978, 979, 981, 983),  # a database that is not there yet, or just moves
    *(8628, 8645, 8651, 17809, 18401),
    *(4221, 10928, 10929, 40143, 40166, 40197, 40501, 40540, 40544, 40549, 40550, 40613, 49918, 49919, 49920),
    *(41301, 41302, 41305, 41325, 41839),
)


@contextmanager
def mssql_errors(address: Address, where: str) -> Iterator[None]:
    """Turn the driver's exceptions into ours. No message has the password in it."""
    import OpenSSL.SSL
    import pytds

    server = f"SQL Server at {where}"
    try:
        yield
    except pytds.ClosedConnectionError as exc:
        message = f"lost the connection to {server}: {exc}"
        raise RetryableError(message, code=Code.CONNECTION_LOST) from exc
    except pytds.DatabaseError as exc:
        number = getattr(exc, "msg_no", 0) or getattr(exc, "number", 0)
        raise translated_number(number, _said(exc, address), address, server) from exc
    except OpenSSL.SSL.Error as exc:
        raise _not_trusted(f"{server} cannot be trusted: {exc}", address) from exc
    except pytds.Error as exc:
        raise _of_driver(_said(exc, address), address, server) from exc
    except UnicodeDecodeError as exc:
        message = f"{server}: text that is not {exc.encoding}: {exc.reason}"
        hint = "read such a column as bytes: CAST(… AS varbinary(max)) in a `query`"
        raise FatalError(message, hint=hint) from exc
    except socket.gaierror as exc:
        hint = f"is the name right, and is there a network? the address comes from {address.origin}"
        message = f"there is no host {address.host!r}: {reason_of(exc)}"
        raise RetryableError(message, hint=hint, code=Code.NO_HOST) from exc
    except ConnectionRefusedError as exc:
        hint = f"is the server running? the address comes from {address.origin}"
        raise RetryableError(
            f"{server} refuses connections", hint=hint, code=Code.CONNECTION_REFUSED
        ) from exc
    except OSError as exc:  # also of a time that is up
        message = f"lost the connection to {server}: {reason_of(exc) or 'no answer'}"
        raise RetryableError(message, code=Code.CONNECTION_LOST) from exc


def translated_number(number: int, said: str, address: Address, server: str) -> WindlassError:
    """The server's error of that number as ours."""
    if number in _NOT_LET_IN:
        hint = f"check user, password and database in {address.origin}"
        return FatalError(f"{server} does not let us in: {said}", hint=hint, code=Code.NOT_LET_IN)
    if number in _REFUSED_RIGHT:
        return FatalError(said, hint="the user lacks a permission for this", code=Code.NOT_LET_IN)
    if number in _DISK_FULL:
        hint = "free some space and try again"
        return RetryableError(f"{server}: {said}", hint=hint, code=Code.DISK_FULL)
    if number in _LOST:
        return RetryableError(f"lost the connection to {server}: {said}", code=Code.CONNECTION_LOST)
    if number in _PASSING:
        return RetryableError(f"{server}: {said}")
    no_order = "leave ORDER BY out: rows have no order in a copy" if number == 1033 else None
    codes = {_NO_TABLE: Code.NO_TABLE, _NO_COLUMN: Code.NO_COLUMN}
    return FatalError(said, hint=no_order, code=codes.get(number))


def _of_driver(said: str, address: Address, server: str) -> WindlassError:
    if "certificate" in said.lower():
        return _not_trusted(f"{server} cannot be trusted: {said}", address)
    if "encrypt" in said.lower():
        hint = f"say ?encrypt=no in {address.origin} if nobody else can listen on the way there"
        return FatalError(f"{server}: {said}", hint=hint, code=Code.NOT_LET_IN)
    return FatalError(f"{server}: {said}")


def _not_trusted(message: str, address: Address) -> FatalError:
    hint = (
        f"name its authority, or its own certificate, in {address.origin}: ?ca=server.pem; with verify_host=no where another "
        "name stands in it"
    )
    return FatalError(message, hint=hint, code=Code.NOT_LET_IN)


def _said(exc: Exception, address: Address) -> str:
    said = str(getattr(exc, "text", "") or exc)
    return said.replace(address.password, MASK) if address.password else said

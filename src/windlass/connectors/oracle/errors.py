"""What the errors of Oracle and of its driver mean here.

https://docs.oracle.com/error-help/db/ and
https://python-oracledb.readthedocs.io/en/latest/user_guide/troubleshooting.html
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from windlass.connections import Address
from windlass.errors import Code, FatalError, RetryableError, WindlassError, reason_of
from windlass.logs import MASK

__all__ = ["oracle_errors"]

_NOT_LET_IN = (1005, 1017, 1045, 28000, 28001, 28040, 28860, 29024)
_REFUSED_RIGHT = (1031, 1720, 41900)
_NO_TABLE, _NO_COLUMN = (942, 4043), 904
_DISK_FULL = (1536, 1652, 1653, 1654, 30036)
_LOST = (
    28,
    1012,
    1034,
    1041,
    1089,
    1090,
    1092,
    2396,
    3113,
    3114,
    3135,
    12152,
    12153,
    12170,
    12537,
    12547,
    12570,
    12571,
)
_PASSING = (
    *(
        18,
        20,
        51,
        54,
        60,
        99,
        104,
        1013,
        1033,
        1109,
        2049,
        2391,
        4020,
        4021,
        4061,
        4065,
        4068,
        8103,
        8176,
        8177,
        12801,
        12805,
    ),
    *(1555, 30006, 30052),  # a snapshot that is gone; a lock that took too long
    *(
        12514,
        12516,
        12518,
        12519,
        12520,
        12528,
        25408,
        25409,
    ),  # a service that is not there yet; no place for another session
)
_LOST_BY_DRIVER = ("DPY-1001", "DPY-4011", "DPY-4024", "DPY-6002", "DPY-6005")
_NOT_TRUSTED = ("DPY-6006", "CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "SSL", "TLS")


@contextmanager
def oracle_errors(address: Address, where: str) -> Iterator[None]:
    """Turn the driver's exceptions into ours. No message has the password in it."""
    import oracledb
    import pyarrow as pa

    try:
        yield
    except oracledb.Error as exc:
        raise _translated(exc, address, f"Oracle at {where}") from exc
    except pa.ArrowException as exc:
        raise FatalError(f"Oracle at {where}: {exc}") from exc
    except socket.gaierror as exc:
        hint = f"is the name right, and is there a network? the address comes from {address.origin}"
        message = f"there is no host {address.host!r}: {reason_of(exc)}"
        raise RetryableError(message, hint=hint, code=Code.NO_HOST) from exc
    except OSError as exc:
        message = f"lost the connection to Oracle at {where}: {reason_of(exc)}"
        raise RetryableError(message, code=Code.CONNECTION_LOST) from exc


def _translated(exc: Exception, address: Address, server: str) -> WindlassError:
    detail = exc.args[0] if exc.args else None
    said = _said(str(getattr(detail, "message", "") or exc), address)
    code = str(getattr(detail, "full_code", "") or "")
    number = int(getattr(detail, "code", 0) or 0) if not code.startswith("DP") else 0
    if number in _NOT_LET_IN:
        hint = f"check user, password and service in {address.origin}"
        return FatalError(f"{server} does not let us in: {said}", hint=hint, code=Code.NOT_LET_IN)
    if number in _REFUSED_RIGHT:
        return FatalError(said, hint="the user lacks a privilege for this", code=Code.NOT_LET_IN)
    if number in _DISK_FULL:
        return RetryableError(f"{server}: {said}", hint="free some space and try again", code=Code.DISK_FULL)
    if number in _LOST:
        return RetryableError(f"lost the connection to {server}: {said}", code=Code.CONNECTION_LOST)
    if number in _PASSING:
        kept = "a larger undo tablespace, or a longer undo retention, keeps it" if number == 1555 else None
        return RetryableError(f"{server}: {said}", hint=kept)
    if number == 0:
        return _of_driver(code, said, address, server)
    codes = {**dict.fromkeys(_NO_TABLE, Code.NO_TABLE), _NO_COLUMN: Code.NO_COLUMN}
    return FatalError(said, code=codes.get(number))


def _of_driver(code: str, said: str, address: Address, server: str) -> WindlassError:
    origin = address.origin
    if any(sign in said for sign in _NOT_TRUSTED) or code == "DPY-6006":
        hint = f"name its authority in {origin}: ?ca=server.pem; without encryption, say ?encrypt=no"
        return FatalError(f"{server} cannot be trusted: {said}", hint=hint, code=Code.NOT_LET_IN)
    if "refused" in said.lower() or (code == "DPY-6005" and "[Errno 111]" in said):
        hint = f"is the server running? the address comes from {origin}"
        return RetryableError(f"{server} refuses connections", hint=hint, code=Code.CONNECTION_REFUSED)
    if code in _LOST_BY_DRIVER:
        return RetryableError(f"lost the connection to {server}: {said}", code=Code.CONNECTION_LOST)
    return FatalError(f"{server}: {said}")


def _said(said: str, address: Address) -> str:
    line = said.split("\nHelp: ", 1)[0].strip()
    return line.replace(address.password, MASK) if address.password else line

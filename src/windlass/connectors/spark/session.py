"""A session on a cluster, by Spark Connect.

Every session has ANSI mode on, so that Spark fails where it would else make NULL of what does not fit; UTC; and names in
which case counts. https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html
"""

from __future__ import annotations

import re
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from windlass.connections import Address
from windlass.errors import Code, FatalError, RetryableError, WindlassError, extra

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

__all__ = ["open_session", "session_errors"]

_PORT, _MASTER, _SECONDS = 15002, 7077, 10.0
_SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
}
_PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INVALID_HANDLE", "SESSION_CLOSED", "SESSION_NOT_FOUND")
_SHOWN = 2_000  # characters of what Spark says, which may have the text of a whole stack


def open_session(address: Address, session_id: str | None = None) -> SparkSession:
    """Connect. Raises RetryableError where nothing answers, and FatalError where it is not a Connect server."""
    with extra("connections to Spark", "spark"), _as_no_doctest(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions of pandas, which is not used
        from pyspark.sql.connect.session import SparkSession
    _keep_quiet()
    _require_answer(address)
    with session_errors(address):
        session = SparkSession.Builder().remote(_remote(address, session_id)).create()
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)
        return session


@contextmanager
def _as_no_doctest() -> Iterator[None]:
    """Have the main module a file: pyspark takes one without, such as that of `python -c`, for a doctest of its own, and
    looks for a Spark on this machine.
    """
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "-c"
    try:
        yield
    finally:
        del main.__file__


def _keep_quiet() -> None:
    """Let pyspark not print errors by itself, with the stack of the JVM, and with whatever secret is in them."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


def _require_answer(address: Address) -> None:
    """Raise RetryableError where nothing listens: gRPC itself would try for ten minutes."""
    if not address.host:
        hint = "name a Connect server, such as that of `sbin/start-connect-server.sh --master 'local[*]'`: sc://127.0.0.1:15002"
        raise FatalError("nothing here stands in for the SQL of Spark", hint=hint, code=Code.DEV_SERVICE)
    if address.scheme == "spark" and address.port == _MASTER:
        hint = f"name Spark Connect, such as sc://{address.host}:{_PORT}"
        raise FatalError(f"{_shown(address)} is a master", hint=hint, code=Code.UNREADABLE_ADDRESS)
    if address.database:
        hint = "write what Spark puts behind `/;` as options: sc://host:15002?use_ssl=true&token=…"
        raise FatalError(f"{_shown(address)} takes no path", hint=hint, code=Code.UNREADABLE_ADDRESS)
    try:
        with socket.create_connection((address.host, address.port or _PORT), timeout=_SECONDS):
            return
    except OSError as exc:
        hint = (
            "is Spark Connect started there (`sbin/start-connect-server.sh`), and may this machine reach it?"
        )
        raise RetryableError(f"{_shown(address)} cannot be reached: {exc}", hint=hint) from exc


def _remote(address: Address, session_id: str | None) -> str:
    """The address as Spark writes it: `sc://host:port/;name=value;…`.

    https://github.com/apache/spark/blob/master/sql/connect/docs/client-connection-string.md
    """
    options = dict(address.options)
    if address.password:
        options["token"] = address.password
    if address.user:
        options.setdefault("user_id", address.user)
    if session_id is not None:
        options["session_id"] = session_id
    host = f"[{address.host}]" if ":" in address.host else address.host
    said = "".join(f";{name}={quote(value, safe='')}" for name, value in options.items())
    return f"sc://{host}:{address.port or _PORT}/{said}"


def _shown(address: Address) -> str:
    return f"Spark at {address.host}:{address.port or _PORT}"


@contextmanager
def session_errors(address: Address) -> Iterator[None]:
    """Turn what Spark and gRPC raise into ours."""
    import grpc
    from pyspark.errors import PySparkException

    try:
        yield
    except WindlassError:
        raise
    except (PySparkException, grpc.RpcError) as exc:
        raise _translated(exc, address) from exc


def _translated(exc: Any, address: Address) -> WindlassError:
    text = str(exc)
    said = _said(text)
    if "No module named 'windlass" in text:
        message = f"{_shown(address)}: the Python of its machines has no windlass"
        hint = "install 'windlass[files]' there, or name a Python that has it: `python`, or `environment`, of the connection"
        return FatalError(message, hint=hint)
    if "PYTHON_VERSION_MISMATCH" in text:
        hint = "name another Python of the machines with `python`, or `environment`, of the connection"
        return FatalError(f"{_shown(address)}: {said}", hint=hint)
    if (
        any(sign in text for sign in _PASSING)
        or "Job aborted" in text
        or "SparkContext was shut down" in text
    ):
        return RetryableError(f"{_shown(address)}: {said}")
    return FatalError(f"{_shown(address)}: {said}")


def _said(text: str) -> str:
    """What went wrong: without the stacks of the JVM, and of what Python said on the machine its last line."""
    trace = re.search(r"Traceback \(most recent call last\):\n(?:\s.*\n|\n)*(?P<last>\S.*)", text)
    said = trace["last"] if trace else text.partition("\n\nJVM stacktrace")[0].partition("\n\tat ")[0]
    return said.strip()[:_SHOWN]

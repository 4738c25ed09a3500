"""Connections to web servers that are kept open from one request to the next.

A page after a page of an API over one connection saves the time that TCP, TLS and TCP's slow start take each time. Only
requests that may be sent twice go through a session: a server may close a connection just when it is asked again, and
then the request is sent once more over a new one.
"""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["CountedResponse", "Session", "SessionClosedError"]

_Key: TypeAlias = tuple[str, str]


class SessionClosedError(Exception):
    """The reader was left while a thread of it was still asking: nobody waits for the answer."""


class CountedResponse(http.client.HTTPResponse):
    """An answer that knows how many bytes of its body have come, and whether it was left before its end."""

    received = 0
    was_left = False

    def read(self, amt: int | None = None) -> bytes:
        data = super().read(amt)
        self.received += len(data)
        return data

    def close(self) -> None:
        self.was_left = self.was_left or not self.isclosed()  # at its end it has closed itself
        super().close()


@dataclass(eq=False)
class _Use:
    """A connection with a request on it."""

    key: _Key
    connection: http.client.HTTPConnection
    response: CountedResponse | None = None
    socket: socket.socket | None = None


class Session:
    """The connections of one reader. Several threads may ask."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._closed = threading.Event()
        self._idle: dict[_Key, list[http.client.HTTPConnection]] = {}
        self._uses: list[_Use] = []

    def ask(self, new: Any, request: urllib.request.Request) -> http.client.HTTPResponse:
        """The answer to a request, over a connection that is there, or one that `new` makes.

        Raises what `urllib.request.AbstractHTTPHandler.do_open` does, and SessionClosedError.
        """
        key = (request.type, request.host)
        while (kept := self._take(key)) is not None:
            with suppress(ConnectionError):  # it was closed meanwhile
                return self._asked(_Use(key, kept), request)
        return self._asked(_Use(key, new(request.host, timeout=request.timeout)), request)

    def pause(self, seconds: float) -> None:
        """Wait. Raises SessionClosedError when the session is closed meanwhile."""
        if self._closed.wait(seconds):
            raise SessionClosedError

    def close(self) -> None:
        """Close all connections; a thread that waits for an answer waits no more."""
        self._closed.set()
        with self._changing:
            self._sweep()
            for use in self._uses:
                if use.socket is not None:
                    with suppress(OSError):
                        use.socket.shutdown(socket.SHUT_RDWR)
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()

    def _asked(self, use: _Use, request: urllib.request.Request) -> http.client.HTTPResponse:
        try:
            is_new = use.connection.sock is None
            try:
                self._send(use, request)
            except OSError as exc:
                if is_new:
                    raise urllib.error.URLError(exc) from exc
                raise
            response = use.connection.getresponse()
        except BaseException:
            self._end(use)
            raise
        assert isinstance(response, CountedResponse)
        use.response = response
        response.url = request.full_url  # as urllib's own handler does
        response.msg = response.reason  # type: ignore[assignment]
        return response

    def _send(self, use: _Use, request: urllib.request.Request) -> None:
        """Send a request. As soon as there is a connection `close` knows of it."""
        if use.connection.sock is None:
            use.connection.connect()
        with self._changing:
            if self._closed.is_set():
                raise SessionClosedError
            use.socket = use.connection.sock
            self._uses.append(use)
        headers = {name.title(): value for name, value in request.header_items()}
        use.connection.request(request.get_method(), request.selector, request.data, headers)

    def settle(self) -> None:
        """Take back the connections whose answers were read to their end, and close those of other answers."""
        with self._changing:
            self._sweep()

    def _take(self, key: _Key) -> http.client.HTTPConnection | None:
        with self._changing:
            self._sweep()
            idle = self._idle.get(key)
            return idle.pop() if idle else None

    def _end(self, use: _Use) -> None:
        use.connection.close()
        with self._changing:
            self._uses = [other for other in self._uses if other is not use]

    def _sweep(self) -> None:
        left = []
        for use in self._uses:
            if use.response is None or not use.response.isclosed():
                left.append(use)
            elif use.response.was_left or use.connection.sock is None or self._closed.is_set():
                use.connection.close()
            else:
                self._idle.setdefault(use.key, []).append(use.connection)
        self._uses = left

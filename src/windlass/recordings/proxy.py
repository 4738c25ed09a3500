"""A proxy of this machine for programs that ask hosts by name: recordings answer for some of them, and for nobody else.

What is asked over https is answered here, too, by a certificate that whoever asks has to trust (`certificates.py`).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from windlass.errors import did_you_mean, reason_of
from windlass.ports import is_loopback
from windlass.recordings.certificates import Authority
from windlass.recordings.server import ATTENTION, RecordedApi

__all__ = ["RecordingsProxy", "origin_of"]

_PATIENCE = 10.0  # seconds for a handshake that nobody ends
_WITH_USER = (
    "the client takes the user and password in the address of the connection for a part of the host; "
    "send them as a header, or say that there are none: given: {secrets: {CONNECTION: {user: '', password: ''}}}"
)
_USUAL_PORT = {"https": ":443", "http": ":80"}


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, each written in one way.

    >>> origin_of("HTTPS://API.example.com:443/cities"), origin_of("http://api.example.com:8080")
    ('https://api.example.com', 'http://api.example.com:8080')

    Who asks is no part of it:

    >>> origin_of("http://user:key@api.example.com")
    'http://api.example.com'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower().removesuffix(_USUAL_PORT.get(parts.scheme, ''))}"


def _shown(url: str) -> str:
    """An address without who asks, and without parameters."""
    return f"{origin_of(url)}{urlsplit(url).path}"


class RecordingsProxy:
    """A forward proxy (RFC 9110). It is up from `start` to `stop`."""

    def __init__(self, apis: Mapping[str, RecordedApi], authority: Authority | None) -> None:
        """`apis` are by their origin; the `authority` vouches for those of https."""
        self._refused: list[str] = []
        self._handshakes = 0
        self._settled = threading.Condition()
        self._apis = apis
        secure = [origin for origin in apis if origin.startswith("https:")]
        self._contexts = {
            origin: authority.context(urlsplit(origin).hostname or "") for origin in secure if authority
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def refused(self) -> list[str]:
        """Requests to hosts that there are no recordings of, each with the host that may be meant; and what was not asked
        for want of trust."""
        with self._settled:  # who does not trust is gone before we know
            self._settled.wait_for(lambda: not self._handshakes, _PATIENCE)
        return list(self._refused)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(ATTENTION,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _refuse(self, handler: BaseHTTPRequestHandler, what: str, origin: str) -> None:
        if "@" in urlsplit(handler.path).netloc and is_loopback(urlsplit(origin).hostname or ""):
            self._refused.append(f"{what}: {_WITH_USER}")
        else:
            say = f'say what it answers: given: {{apis: {{"{origin}": […]}}}}'
            hint = did_you_mean(origin, self._apis) or say
            self._refused.append(f"{what}: there are no recordings of this host; {hint}")
        handler.close_connection = True
        handler.send_error(HTTPStatus.NOT_IMPLEMENTED, f"no recordings of {origin}", self._refused[-1])

    def _tunnel(self, handler: BaseHTTPRequestHandler) -> None:
        """Be the host that somebody wants to speak with undisturbed."""
        secure, plain = (origin_of(f"{scheme}://{handler.path}") for scheme in ("https", "http"))
        origin = next((one for one in (secure, plain) if one in self._apis), None)
        if origin is None:
            self._refuse(handler, secure, secure)
            return
        handler.close_connection = True
        with self._handshake():
            handler.send_response(HTTPStatus.OK, "Connection established")
            handler.end_headers()
            inside = self._inside(handler.connection, origin)
        if inside is not None:
            with inside, suppress(OSError):  # whoever asks may go at any time
                self._apis[origin].handler(inside, handler.client_address, self._server)

    def _inside(self, connection: socket.socket, origin: str) -> socket.socket | None:
        """The connection, without TLS around it; None where whoever asks does not go on."""
        if origin not in self._contexts:
            return connection
        try:
            return self._contexts[origin].wrap_socket(connection, server_side=True)
        except OSError as exc:
            self._refused.append(
                f"{origin}: the step does not trust the certificate of the case: {reason_of(exc)}"
            )
            return None

    @contextmanager
    def _handshake(self) -> Iterator[None]:
        with self._settled:
            self._handshakes += 1
        try:
            yield
        finally:
            with self._settled:
                self._handshakes -= 1
                self._settled.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                origin = origin_of(self.path)
                api = proxy._apis.get(origin)
                if api is not None:
                    api.respond(self)
                else:
                    proxy._refuse(self, f"{self.command} {_shown(self.path)}", origin)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815 # names of the library

            def do_CONNECT(self) -> None:  # a name of the library
                proxy._tunnel(self)

            def log_message(self, *_: object) -> None:
                return

        return Handler

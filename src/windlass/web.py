"""Requests to web servers, and what becomes of them: the same for an API, a file that is read, a download and an alert.

A request to this machine goes past every proxy. A redirect to another server is followed without what is meant for the
first one alone: of the headers it gets those that tell nothing. Every answer but one with a status of success is an
error, and so is a body that ends before its server said that it would.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from typing import IO, Any, NamedTuple
from urllib.parse import parse_qsl, urljoin, urlsplit

from windlass import __version__, logs
from windlass.errors import Code, FatalError, RetryableError, reason_of
from windlass.ports import is_loopback
from windlass.request_log import note_request
from windlass.splitting_urls import BRACKETS
from windlass.web_session import CountedResponse, Session

__all__ = [
    "AGENT",
    "AnswerError",
    "NotNowError",
    "Refusal",
    "answer_to",
    "basic",
    "is_key",
    "keys_in",
    "require_whole",
]

AGENT = f"windlass/{__version__}"
"""What we call ourselves in `User-Agent`."""

_BEGINNING = 65_536
_RETRYABLE = (408, 425, 429, 500, 502, 503, 504)
_KEYS = (
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "SIGNATURE",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "SUBSCRIPTION_KEY",
)
_SHORT_KEYS = ("SIG", "KEY", "AUTH", "CODE")  # of Azure and Google, and of much else
_SHORTEST, _SHORTEST_OF_SHORT = 6, 16
_PUBLIC = ("accept", "accept-encoding", "content-type", "if-range", "range", "user-agent")
"""The headers that another server may see, too."""


class Refusal(NamedTuple):
    """An answer whose status does not say success."""

    status: int
    headers: Message
    body: bytes
    """The beginning of it."""


class AnswerError(FatalError):
    """An answer that will be the same again."""

    def __init__(self, message: str, refusal: Refusal, code: Code) -> None:
        super().__init__(message, code=code)
        self.refusal = refusal
        self.status = refusal.status


class NotNowError(RetryableError):
    """No answer, half of one, or one that says to come back."""

    refusal: Refusal | None = None
    """The answer, where there is one."""


@contextmanager
def answer_to(
    request: urllib.request.Request,
    *,
    shown: str,
    code: Code,
    timeout: float = 60.0,
    waited: float = 0.0,
    session: Session | None = None,
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request, to be read inside. `shown` is the address as people may see it: the keys in its query
    are masked from now on. `waited` is how long the request had to wait for its turn, for the log of requests;
    with a `session` it may be sent twice.

    Raises AnswerError, and NotNowError for what may be otherwise in a moment.
    """
    _require_usable(request.full_url, shown, code)
    for key in keys_in(request.full_url):
        logs.add_secret(key)
    with _noted(request.get_method(), shown, waited) as noted:
        try:
            with _opener_for(request.full_url, session).open(request, timeout=timeout) as response:
                noted.answer = response
                yield response
        except urllib.error.HTTPError as exc:
            noted.answer = exc.fp
            raise _refused(exc, shown, code) from exc
        except _LeadsAwayError as exc:
            raise FatalError(f"{shown} leads to {exc}, which is not HTTP", code=code) from exc
        except urllib.error.URLError as exc:
            reason = getattr(exc.reason, "strerror", None) or exc.reason
            raise NotNowError(f"cannot reach {shown}: {reason}", code=code) from exc
        except (http.client.HTTPException, ConnectionError, TimeoutError) as exc:
            raise NotNowError(f"the answer of {shown} broke off: {reason_of(exc)}", code=code) from exc
        finally:
            if session is not None:
                session.settle()


def _require_usable(url: str, shown: str, code: Code) -> None:
    """Raise FatalError for an address to which nothing can be sent, now or later; it may be a secret as a whole."""
    if (hint := _why_unusable(url)) is not None:
        raise FatalError(f"the address of {shown} cannot be used", hint=hint, code=code)


def _why_unusable(url: str) -> str | None:
    if any(character <= " " or character == "\x7f" for character in url):
        return "write %20 for a space; no other such character is in an address"
    try:
        parts = urlsplit(url)
        _, host = parts.port, parts.hostname
    except ValueError:
        return BRACKETS
    try:
        (host or "").encode("idna")  # as a socket does
    except UnicodeError:
        return "each part of the name of a host has between 1 and 63 characters"
    return None if host else "it names no host"


class _Noted:
    """A request that is noted when all is over."""

    answer: Any = None
    """The answer, as soon as there is one."""


@contextmanager
def _noted(method: str, shown: str, waited: float) -> Iterator[_Noted]:
    begun, noted = time.monotonic(), _Noted()
    try:
        yield noted
    finally:
        status, size = getattr(noted.answer, "status", None), getattr(noted.answer, "received", 0)
        seconds = time.monotonic() - begun
        note_request(method, shown, status=status, size=size, seconds=seconds, waited=waited)


def _refused(error: urllib.error.HTTPError, shown: str, code: Code) -> AnswerError | NotNowError:
    """What an answer with a status of no success means."""
    refusal = _refusal(error)
    message = f"{shown} answered {error.code} {error.reason}"
    if error.code not in _RETRYABLE:
        return AnswerError(message, refusal, code)
    busy = NotNowError(message, code=code)
    busy.wait, busy.refusal = _retry_after(error.headers), refusal
    return busy


def _refusal(error: urllib.error.HTTPError) -> Refusal:
    """What the server says of it; half of it, or nothing, where the rest cannot be read: that is not an error of its own."""
    with error, suppress(OSError, http.client.HTTPException):
        return Refusal(error.code, error.headers, error.read(_BEGINNING))
    return Refusal(error.code, error.headers, b"")


def keys_in(url: str) -> Iterator[str]:
    """What in the query of an address lets somebody in: a token, the signature of an address that was signed."""
    yield from (value for name, value in parse_qsl(urlsplit(url).query) if is_key(name, value))


def is_key(name: str, value: str) -> bool:
    """Whether a parameter or field of that name lets somebody in."""
    said = name.upper().replace("-", "_")
    if said in _SHORT_KEYS:
        return len(value) >= _SHORTEST_OF_SHORT
    return said.endswith(_KEYS) and len(value) >= _SHORTEST


def require_whole(response: http.client.HTTPResponse) -> None:
    """Raise what tells of a body that broke off: with an amount, `read` gives what there is, and says nothing."""
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for a user and password, which is kept out of every log."""
    token = b64encode(f"{user}:{password}".encode()).decode()
    logs.add_secret(token)
    return f"Basic {token}"


class _LeadsAwayError(Exception):
    """A redirect out of HTTP."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        target = urljoin(req.full_url, newurl)
        if urlsplit(target).scheme not in ("http", "https"):
            fp.close()
            raise _LeadsAwayError(target)
        if req.data is not None:
            return None  # which makes an error of the answer: followed, it would lose what was sent
        new = super().redirect_request(req, fp, code, msg, headers, target)
        if new is not None and urlsplit(target)[:2] != urlsplit(req.full_url)[:2]:
            new.headers = {name: value for name, value in new.headers.items() if name.lower() in _PUBLIC}
        return new


class _Handler(urllib.request.AbstractHTTPHandler):
    """Asks over the connections of a session, if there is one and no proxy is in between."""

    session: Session | None = None

    def do_open(self, http_class: Any, req: urllib.request.Request, **settings: Any) -> Any:
        def connection(host: str, **more: Any) -> http.client.HTTPConnection:
            made: http.client.HTTPConnection = http_class(host, **more)
            made.response_class = CountedResponse
            return made

        if self.session is None or req.has_proxy() or req._tunnel_host:  # type: ignore[attr-defined]
            return super().do_open(connection, req, **settings)
        return self.session.ask(partial(connection, **settings), req)


class _Http(_Handler, urllib.request.HTTPHandler):
    pass


class _Https(_Handler, urllib.request.HTTPSHandler):
    pass


def _opener(session: Session | None, *handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    asking = (_Http(), _Https())
    for handler in asking:
        handler.session = session
    return urllib.request.build_opener(_Redirects, *asking, *handlers)


_usual_opener = _opener(None)
_opener_past_proxies = _opener(None, urllib.request.ProxyHandler({}))


def _opener_for(url: str, session: Session | None) -> urllib.request.OpenerDirector:
    is_here = is_loopback(urlsplit(url).hostname)
    if session is not None:
        return _opener(session, *([urllib.request.ProxyHandler({})] if is_here else []))
    return _opener_past_proxies if is_here else _usual_opener


def _retry_after(headers: Message) -> float | None:
    """Seconds that the server says to wait: it may write them, or the time when they are over, by its own clock."""
    said = str(headers.get("Retry-After", "")).strip()
    if said.isdecimal():
        return float(said)
    moment = _moment(said)
    if moment is None:
        return None
    now = _moment(str(headers.get("Date", ""))) or datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())


def _moment(said: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)

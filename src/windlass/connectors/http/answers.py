"""One answer of an API: the whole of it, or an error.

What may be otherwise in a moment is asked for again, at the time that the server says (`Retry-After`, RFC 9110,
section 10.2.3) or after a wait that doubles.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import IO
from urllib.parse import urljoin, urlsplit

from windlass import __version__, logs
from windlass.connections import Address
from windlass.connectors.http.options import Retry
from windlass.errors import Code, FatalError, RetryableError, reason_of

__all__ = ["Answer", "ask"]

_TIMEOUT = 60.0
_LARGEST = 256_000_000
_RETRYABLE = (408, 425, 429, 500, 502, 503, 504)
_FIRST_WAIT = 1.0
_PUBLIC = (
    "Accept",
    "User-agent",
    "Accept-encoding",
)  # as urllib writes them: what another server may see, too


@dataclass(frozen=True)
class Answer:
    """A body that has arrived whole, as far as its server says how long it is."""

    body: bytes
    headers: Message
    known_length: bool
    """Whether the server has said how long it is."""


class _NotNowError(Exception):
    """What may be otherwise in a moment."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.message, self.wait = message, wait


def ask(url: str, headers: Mapping[str, str], address: Address, retry: Retry) -> Answer:
    """GET. Raises RetryableError when all attempts are used up, FatalError for an answer that will be the same again."""
    request = urllib.request.Request(url, headers={**_defaults(address), **headers})
    for attempt in range(1, retry.attempts + 1):
        try:
            return _asked(request)
        except _NotNowError as exc:
            wait = _FIRST_WAIT * 2 ** (attempt - 1) if exc.wait is None else exc.wait
            if attempt == retry.attempts or (exc.wait is not None and exc.wait > retry.max_wait):
                raise _given_up(exc, attempt, retry) from exc.__cause__
            logs.warning("asking_again", because=exc.message, seconds=min(wait, retry.max_wait))
            time.sleep(min(wait, retry.max_wait))
    raise AssertionError("there is at least one attempt")


def _given_up(last: _NotNowError, attempts: int, retry: Retry) -> RetryableError:
    times = "once" if attempts == 1 else f"{attempts} times"
    hint = f"it was asked for {times}"
    if last.wait is not None and last.wait > retry.max_wait:
        hint = (
            f"its server says to come back in {last.wait:g} s, and `retry.max_wait` is {retry.max_wait:g} s"
        )
    return RetryableError(last.message, hint=hint, code=Code.API_ANSWER)


def _defaults(address: Address) -> dict[str, str]:
    plain = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"windlass/{__version__}",
    }
    if not address.user and not address.password:
        return plain
    token = b64encode(f"{address.user}:{address.password}".encode()).decode()
    logs.add_secret(token)
    return {**plain, "Authorization": f"Basic {token}"}


def _asked(request: urllib.request.Request) -> Answer:
    url = request.full_url
    try:
        with _opener.open(request, timeout=_TIMEOUT) as response:
            return _whole(url, response)
    except urllib.error.HTTPError as exc:
        exc.close()
        message = f"{url} answered {exc.code} {exc.reason}"
        if exc.code in _RETRYABLE:
            raise _NotNowError(message, _retry_after(exc.headers)) from exc
        raise FatalError(message, code=Code.API_ANSWER) from exc
    except urllib.error.URLError as exc:
        reason = getattr(exc.reason, "strerror", None) or exc.reason
        raise _NotNowError(f"cannot reach {url}: {reason}") from exc
    except (http.client.HTTPException, OSError) as exc:
        raise _NotNowError(f"the answer of {url} broke off: {reason_of(exc)}") from exc


def _whole(url: str, response: http.client.HTTPResponse) -> Answer:
    if response.status != http.HTTPStatus.OK:
        raise FatalError(
            f"{url} answered {response.status} {response.reason}, expected 200", code=Code.API_ANSWER
        )
    if (coding := response.headers.get("Content-Encoding", "identity").lower()) != "identity":
        raise FatalError(
            f"{url} answered in the encoding {coding!r}, which was not asked for", code=Code.API_ANSWER
        )
    known = response.length is not None or response.chunked
    if (response.length or 0) > _LARGEST:
        raise _too_large(url)
    parts, size = [], 0
    while chunk := response.read(1 << 20):
        parts.append(chunk)
        size += len(chunk)
        if size > _LARGEST:
            raise _too_large(url)
    if response.length:  # with an amount, `read` gives what there is, and says nothing
        raise http.client.IncompleteRead(b"", response.length)
    return Answer(b"".join(parts), response.headers, known)


def _too_large(url: str) -> FatalError:
    hint = "ask for smaller pages; or `download` it, and copy the file"
    return FatalError(
        f"{url}: the answer has more than {_LARGEST // 10**6} MB", hint=hint, code=Code.API_ANSWER
    )


def _retry_after(headers: Message) -> float | None:
    """Seconds that the server says to wait: it may write them, or the time when they are over."""
    said = str(headers.get("Retry-After", "")).strip()
    if said.isdecimal():
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to other addresses, without what is meant for this server only."""

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
            raise FatalError(f"{req.full_url} leads to {target}, which is not HTTP", code=Code.API_ANSWER)
        new = super().redirect_request(req, fp, code, msg, headers, target)
        if new is not None and urlsplit(target)[:2] != urlsplit(req.full_url)[:2]:
            new.headers = {name: value for name, value in new.headers.items() if name in _PUBLIC}
        return new


_opener = urllib.request.build_opener(_Redirects)

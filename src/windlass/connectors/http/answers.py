"""One answer of an API: the whole of it, or an error.

What may be otherwise in a moment is asked for again, at the time that the server says or after a wait that doubles.
"""

from __future__ import annotations

import http.client
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

from windlass import logs, web
from windlass.connections import Address
from windlass.connectors.http.options import Retry
from windlass.errors import Code, FatalError, RetryableError

__all__ = ["Answer", "ask"]

_LARGEST = 256_000_000
_FIRST_WAIT = 1.0


@dataclass(frozen=True)
class Answer:
    """A body that has arrived whole, as far as its server says how long it is."""

    body: bytes
    headers: Message
    known_length: bool
    """Whether the server has said how long it is."""


def ask(url: str, headers: Mapping[str, str], address: Address, retry: Retry) -> Answer:
    """GET. Raises RetryableError when all attempts are used up, FatalError for an answer that will be the same again."""
    request = urllib.request.Request(url, headers={**_defaults(address), **headers})
    for attempt in range(1, retry.attempts + 1):
        try:
            with web.answer_to(request, shown=url, code=Code.API_ANSWER) as response:
                return _whole(url, response)
        except web.NotNowError as exc:
            wait = _FIRST_WAIT * 2 ** (attempt - 1) if exc.wait is None else exc.wait
            if attempt == retry.attempts or (exc.wait is not None and exc.wait > retry.max_wait):
                raise _given_up(exc, attempt, retry) from exc.__cause__
            logs.warning("asking_again", because=exc.message, seconds=min(wait, retry.max_wait))
            time.sleep(min(wait, retry.max_wait))
    raise AssertionError("there is at least one attempt")


def _given_up(last: web.NotNowError, attempts: int, retry: Retry) -> RetryableError:
    times = "once" if attempts == 1 else f"{attempts} times"
    hint = f"it was asked for {times}"
    if last.wait is not None and last.wait > retry.max_wait:
        hint = (
            f"its server says to come back in {last.wait:g} s, and `retry.max_wait` is {retry.max_wait:g} s"
        )
    return RetryableError(last.message, hint=hint, code=Code.API_ANSWER)


def _defaults(address: Address) -> dict[str, str]:
    plain = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": web.AGENT}
    if not address.user and not address.password:
        return plain
    return {**plain, "Authorization": web.basic(address.user or "", address.password or "")}


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
    web.require_whole(response)
    return Answer(b"".join(parts), response.headers, known)


def _too_large(url: str) -> FatalError:
    hint = "ask for smaller pages; or `download` it, and copy the file"
    return FatalError(
        f"{url}: the answer has more than {_LARGEST // 10**6} MB", hint=hint, code=Code.API_ANSWER
    )

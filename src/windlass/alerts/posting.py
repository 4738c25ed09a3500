"""What the kinds have in common that are told by an HTTP request."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from windlass import logs, web
from windlass.connections import Address
from windlass.errors import Code, FatalError, RetryableError, WindlassError

__all__ = ["fields_of", "post", "told_by", "url_of"]

_TIMEOUT = 15.0
_LONGEST_ANSWER = 65_536


@contextmanager
def told_by(who: str) -> Iterator[None]:
    """Name who did not take a message in the errors of what is done inside."""
    try:
        yield
    except WindlassError as exc:
        message = f"{who} did not take the message: {exc.message}"
        if not isinstance(exc, RetryableError):
            raise FatalError(message, hint=exc.hint, code=exc.code) from exc
        busy = RetryableError(message, hint=exc.hint, code=exc.code)
        busy.wait = exc.wait
        raise busy from exc


def url_of(address: Address, default_host: str = "", path: str | None = None) -> str:
    """The URL of a webhook, or that path on its server. Over HTTPS, unless its address says `http://`."""
    scheme = "http" if address.scheme.lower() == "http" else "https"
    host, slash, before = (address.host or default_host).rstrip("/").partition("/")
    where = f"[{host}]" if ":" in host else host
    port = f":{address.port}{slash}{before}" if address.port else f"{slash}{before}"
    ends = path if path is not None else quote(address.database, safe="/*")
    options = "&".join(f"{quote(k)}={quote(v, safe='/*')}" for k, v in address.options.items())
    query = f"?{options}" if options and path is None else ""
    return f"{scheme}://{where}{port}/{ends.lstrip('/')}{query}"


def post(
    url: str,
    body: object,
    *,
    shown: str,
    headers: Mapping[str, str] | None = None,
    secret: bool = True,
    method: str = "POST",
) -> str:
    """Send a body as JSON; `shown` is what errors call the receiver, whose URL is a secret. Returns the answer.

    Raises FatalError for an answer that will be the same again, RetryableError for one that may not.
    """
    if secret:
        logs.add_secret(url)
    data = json.dumps(body, ensure_ascii=False, default=str).encode()
    request = urllib.request.Request(
        url, data=data, headers={"Content-Type": "application/json", "User-Agent": web.AGENT}, method=method
    )
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        with web.answer_to(request, shown=shown, code=Code.ALERT_NOT_TAKEN, timeout=_TIMEOUT) as answer:
            return _text(answer)
    except web.AnswerError as exc:
        said = exc.refusal.body.decode(errors="replace").strip().partition("\n")[0][:200]
        raise FatalError(
            exc.message + (f": {said}" if said else ""), hint=_hint(exc.status), code=Code.ALERT_NOT_TAKEN
        ) from exc


def _text(answer: http.client.HTTPResponse) -> str:
    return answer.read(_LONGEST_ANSWER).decode(errors="replace")


def _hint(status: int) -> str | None:
    if status in (401, 403, 404, 410):
        return "the address may have been revoked; make a new one and put it in the place of the connection's"
    return None


def fields_of(text: str) -> dict[str, Any]:
    """An answer that is a JSON object; empty for any other."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

"""A file that a web server has, brought here whole before it is read."""

from __future__ import annotations

import http
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlunsplit

from windlass import logs, web
from windlass.errors import Code, FatalError
from windlass.files import disk_errors
from windlass.splitting_urls import split_url

__all__ = ["fetch"]

_ATTEMPTS, _FIRST_WAIT, _LONGEST_WAIT = 3, 1.0, 60.0
_PIECE = 1 << 20


def fetch(url: str, file: Path) -> None:
    """Bring all of it into the file. Raises FatalError for an answer that will be the same again, else RetryableError."""
    request, shown = _request(url)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with disk_errors(file), file.open("wb") as out:
                _receive(request, shown, out.write)
                return
        except web.NotNowError as exc:
            wait = _FIRST_WAIT * 2 ** (attempt - 1) if exc.wait is None else exc.wait
            if attempt == _ATTEMPTS or wait > _LONGEST_WAIT:
                raise
            logs.warning("fetching_again", because=exc.message)
            time.sleep(wait)


def _request(url: str) -> tuple[urllib.request.Request, str]:
    """What is asked for, and the address without a password."""
    parts = split_url(url)
    headers = {"User-Agent": web.AGENT, "Accept-Encoding": "identity"}
    where = parts.netloc.rpartition("@")[2]
    if parts.username is not None:
        logs.add_secret(parts.password)
        headers["Authorization"] = web.basic(unquote(parts.username), unquote(parts.password or ""))
    plain = urlunsplit(parts._replace(netloc=where, fragment=""))
    return urllib.request.Request(plain, headers=headers), plain


def _receive(request: urllib.request.Request, shown: str, write: Callable[[bytes], object]) -> None:
    with web.answer_to(request, shown=shown, code=Code.DOWNLOAD) as response:
        if response.status != http.HTTPStatus.OK:
            raise FatalError(f"{shown} answered {response.status}, expected 200", code=Code.DOWNLOAD)
        while piece := response.read(_PIECE):
            write(piece)
        web.require_whole(response)

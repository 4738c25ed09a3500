"""A file that a web server has, brought here whole before it is read."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from windlass import __version__, logs
from windlass.errors import Code, FatalError, RetryableError, reason_of
from windlass.files import disk_errors

__all__ = ["fetch"]

_TIMEOUT = 60.0
_ATTEMPTS, _FIRST_WAIT = 3, 1.0
_PIECE = 1 << 20
_RETRYABLE = (408, 425, 429, 500, 502, 503, 504)


def fetch(url: str, file: Path) -> None:
    """Bring all of it into the file. Raises FatalError for an answer that will be the same again, else RetryableError."""
    request, shown = _request(url)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with disk_errors(file), file.open("wb") as out:
                _receive(request, shown, out.write)
                return
        except RetryableError as exc:
            if attempt == _ATTEMPTS or exc.code is not Code.DOWNLOAD:
                raise
            logs.warning("fetching_again", because=exc.message)
            time.sleep(_FIRST_WAIT * 2 ** (attempt - 1))


def _request(url: str) -> tuple[urllib.request.Request, str]:
    """What is asked for, and the address without a password."""
    parts = urlsplit(url)
    headers = {"User-Agent": f"windlass/{__version__}", "Accept-Encoding": "identity"}
    where = parts.netloc.rpartition("@")[2]
    if parts.username is not None:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(known.encode()).decode()}"
        logs.add_secret(parts.password)
    plain = urlunsplit(parts._replace(netloc=where, fragment=""))
    return urllib.request.Request(plain, headers=headers), plain


def _receive(request: urllib.request.Request, shown: str, write: Callable[[bytes], object]) -> None:
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            if response.status != http.HTTPStatus.OK:
                raise FatalError(f"{shown} answered {response.status}, expected 200", code=Code.DOWNLOAD)
            while piece := response.read(_PIECE):
                write(piece)
            if response.length:  # with an amount, `read` gives what there is, and says nothing
                raise http.client.IncompleteRead(b"", response.length)
    except urllib.error.HTTPError as exc:
        exc.close()
        kind = RetryableError if exc.code in _RETRYABLE else FatalError
        raise kind(f"{shown} answered {exc.code} {exc.reason}", code=Code.DOWNLOAD) from exc
    except urllib.error.URLError as exc:
        reason = getattr(exc.reason, "strerror", None) or exc.reason
        raise RetryableError(f"cannot reach {shown}: {reason}", code=Code.DOWNLOAD) from exc
    except (http.client.HTTPException, ConnectionError, TimeoutError) as exc:
        raise RetryableError(
            f"the download of {shown} broke off: {reason_of(exc)}", code=Code.DOWNLOAD
        ) from exc

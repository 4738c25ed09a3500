"""Requests and their answers. Whatever is not 2xx ends the step."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

TIMEOUT = 30.0


class WebError(Exception):
    """An answer that is not one; the message has no parameters, which may be secret."""


def get_json(url: str, query: Mapping[str, str]) -> Any:
    """What an API answers."""
    return json.loads(_answer(urllib.request.Request(f"{url}?{urlencode(query)}"), url))


def post(url: str, body: bytes, headers: Mapping[str, str], *, shown: str) -> None:
    """Post something. `shown` is what errors call the address."""
    _answer(urllib.request.Request(url, body, dict(headers), method="POST"), shown)


def _answer(request: urllib.request.Request, shown: str) -> bytes:
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as exc:
        with exc:
            said = exc.read(500).decode(errors="replace").strip()
        raise WebError(f"{shown} answered {exc.code}: {said}") from None
    except urllib.error.URLError as exc:
        raise WebError(f"{shown}: {exc.reason}") from None

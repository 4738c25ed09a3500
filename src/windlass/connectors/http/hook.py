"""Records that a function of the project gets from an API: for one whose pages no key describes.

It is handed the connection, with who asks, attempts, limits and rules as they are for keys, and `arguments`. The task
is a process of its own, so the function runs in it, in the environment that windlass is in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from windlass import web
from windlass.connectors.given_records import function_of, given_relation
from windlass.connectors.http.addresses import texts
from windlass.connectors.http.answers import Answer, Ask

if TYPE_CHECKING:
    from windlass.connectors.scratch import Scratch
    from windlass.connectors.source import Reading, Relation

__all__ = ["ApiAnswer", "ApiClient", "relation_of"]

_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class ApiAnswer:
    """An answer of an API, whole."""

    _answer: Answer

    @property
    def body(self) -> bytes:
        """The bytes as they came, unpacked."""
        return self._answer.body

    @property
    def headers(self) -> Mapping[str, str]:
        """Names are looked up whatever their case."""
        return self._answer.headers  # type: ignore[return-value]

    @cached_property
    def json(self) -> Any:
        """What the body says as JSON; numbers with a point are `Decimal`, so that none is rounded."""
        return json.loads(self.body, parse_float=Decimal)


class ApiClient:
    """A connection to an API, as a function of the project is handed it."""

    def __init__(self, url_of: Callable[[str], str], answer: Callable[[Ask], Answer]) -> None:
        self._url_of, self._answer = url_of, answer

    def get(
        self, path: str, query: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None
    ) -> ApiAnswer:
        """The answer to a GET; what may be otherwise in a moment is asked for again. Raises WindlassError."""
        return self._asked(path, query, headers, None)

    def post(
        self,
        path: str,
        body: object,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiAnswer:
        """The answer to a POST of JSON that only reads, such as a search: it may be sent again."""
        kind = {"Content-Type": "application/json"}
        return self._asked(path, query, {**kind, **(headers or {})}, _ENCODER.encode(body))

    def _asked(
        self,
        path: str,
        query: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
        body: bytes | None,
    ) -> ApiAnswer:
        usual = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": web.AGENT}
        url = self._url_of(path) + (f"?{urlencode(texts(dict(query)))}" if query else "")
        return ApiAnswer(self._answer(Ask(url, {**usual, **(headers or {})}, body, is_read_as_sent=True)))


def relation_of(
    name: str,
    hook: str,
    arguments: Mapping[str, object],
    client: ApiClient,
    project: Path,
    reading: Reading,
    scratch: Scratch,
) -> Relation:
    """The rows that the function `module:function` gives: mappings, or batches and tables of Arrow."""

    def items() -> Iterator[Any]:
        return iter(function_of(hook, project)(client, **arguments))

    return given_relation(name, hook, items, reading, scratch)

"""Records that a function of the project gets from an API: for one whose pages no key describes.

It is handed the connection, with who asks, attempts, limits and rules as they are for keys, and `arguments`. The task
is a process of its own, so the function runs in it, in the environment that windlass is in.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from windlass import web
from windlass.connectors.http.addresses import texts
from windlass.connectors.http.answers import Answer, Ask
from windlass.connectors.relations import ArrowRelation, records_relation
from windlass.errors import Code, FatalError, WindlassError

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
        return ApiAnswer(self._answer(Ask(url, {**usual, **(headers or {})}, body)))


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
    found = _guarded(hook, lambda: iter(_function(hook, project)(client, **arguments)))
    given = _each(hook, found)
    first = next(given, None)
    if not _is_arrow(first):
        rest = chain([first], given) if first is not None else given
        return records_relation(name, (_text(name, record) for record in rest), reading, scratch)
    return ArrowRelation(name, first.schema, chain(_batches(first), _all_batches(given)), reading, scratch)  # type: ignore[union-attr]


def _function(hook: str, project: Path) -> Callable[..., Iterable[Any]]:
    module, _, name = hook.partition(":")
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    importlib.invalidate_caches()
    try:
        function = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as exc:
        hint = f"it is looked for in {project}, and among the packages beside windlass"
        raise FatalError(f"there is no function {hook}: {exc}", hint=hint, code=Code.PYTHON_SOURCE) from exc
    return function  # type: ignore[no-any-return]


def _each(hook: str, given: Iterator[Any]) -> Iterator[Any]:
    end = object()
    while (item := _guarded(hook, lambda: next(given, end))) is not end:
        yield item


def _guarded(hook: str, call: Callable[[], Any]) -> Any:
    """What the function does. Raises FatalError that says where it failed."""
    try:
        return call()
    except WindlassError:
        raise
    except Exception as exc:
        at = traceback.extract_tb(exc.__traceback__)[-1]
        message = f"{hook} failed: {type(exc).__name__}: {exc}\n  at {at.filename}:{at.lineno}, in {at.name}"
        raise FatalError(message, code=Code.PYTHON_SOURCE) from exc


def _text(name: str, record: object) -> bytes:
    try:
        text = _ENCODER.encode(record)
    except (TypeError, ValueError) as exc:
        hint = "give mappings of text, numbers, times, lists and mappings"
        raise FatalError(
            f"{name}: a record cannot be told: {exc}", hint=hint, code=Code.PYTHON_SOURCE
        ) from exc
    if b"null" in text and _has_nan(record):
        hint = "give None for a number that is missing"
        raise FatalError(
            f"{name}: a record has a number that JSON has not", hint=hint, code=Code.PYTHON_SOURCE
        )
    return text


def _has_nan(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_nan, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_nan, value))
    return isinstance(value, float) and not math.isfinite(value)


def _is_arrow(item: object) -> bool:
    """Whether it is a batch or table of Arrow; without importing what the function may never need."""
    return hasattr(item, "schema") and hasattr(item, "num_rows")


def _batches(item: Any) -> Iterable[Any]:
    return item.to_batches() if hasattr(item, "to_batches") else (item,)


def _all_batches(items: Iterator[Any]) -> Iterator[Any]:
    for item in items:
        if not _is_arrow(item):
            raise FatalError("a function gives either mappings or batches of Arrow", code=Code.PYTHON_SOURCE)
        yield from _batches(item)

"""Rows that Python code of somebody else gives: mappings, or batches and tables of Arrow.

The task is a process of its own, so the code runs in it, in the environment that windlass is in.
"""

from __future__ import annotations

import importlib
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from windlass.connectors.relations import ArrowRelation, records_relation
from windlass.errors import Code, FatalError, WindlassError

if TYPE_CHECKING:
    from windlass.connectors.scratch import Scratch
    from windlass.connectors.source import Reading, Relation

__all__ = ["function_of", "given_relation"]


def _told(value: object) -> object:
    """A time of a library's own kind as one of Python's."""
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.time(), value.tzinfo)
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    raise TypeError(f"what {type(value).__name__} means is not known")


_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=_told)


def given_relation(
    name: str, code: str, items: Callable[[], Iterator[Any]], reading: Reading, scratch: Scratch
) -> Relation:
    """The rows that code gives, which messages call `code`, as a relation. Raises FatalError that says where it failed."""
    given = _each(code, _guarded(code, items))
    first = next(given, None)
    if not _is_arrow(first):
        rest = chain([first], given) if first is not None else given
        return records_relation(name, (_text(name, record) for record in rest), reading, scratch)
    return ArrowRelation(name, first.schema, chain(_batches(first), _all_batches(given)), reading, scratch)  # type: ignore[union-attr]


def function_of(hook: str, project: Path) -> Callable[..., Any]:
    """The function `module:function` of a project, or of a package beside windlass. Raises FatalError."""
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

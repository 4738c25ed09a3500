"""What templates may take: a count of the characters and items that their expressions make.

Every operation costs as much as its result is long, and one that could be long is refused before it is made. The count
is the same on every machine, so a template that one accepts is not refused by another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

__all__ = ["OF_A_PIPELINE", "BudgetError", "check_format", "check_length", "size", "spent", "within_budget"]

T = TypeVar("T")

OF_A_PIPELINE = 50_000_000
"""What all templates of a pipeline may take together: seconds."""

_OF_A_TEMPLATE = 2_000_000
_LARGEST_NUMBER = 20_000  # bits; arithmetic takes the square of them
_LONGEST_NUMBER = 400  # characters of a number that is written in full
_PERCENT_FIELD = re.compile(r"(?:\([^)]*\))?[-+ #0]*(\d*|\*)(?:\.(\d*|\*))?")
_DIGITS = re.compile(r"\d+")

_left: ContextVar[tuple[list[int], ...]] = ContextVar("left", default=())


class BudgetError(ValueError):
    """An expression would take more than any sensible one does."""


@contextmanager
def within_budget(budget: int = _OF_A_TEMPLATE) -> Iterator[None]:
    """Count what is evaluated inside together, and in what is around it as well."""
    token = _left.set((*_left.get(), [budget]))
    try:
        yield
    finally:
        _left.reset(token)


def spent(value: T) -> T:
    """The value, paid for."""
    if isinstance(value, int) and value.bit_length() > _LARGEST_NUMBER:
        raise BudgetError("the number is too large")
    cost = 1 + size(value)
    for left in _left.get():
        left[0] -= cost
        if left[0] < 0:
            raise BudgetError(
                "it takes too much, by itself or with what was evaluated before: values are too long, or too many"
            )
    return value


def size(value: object) -> int:
    """How long the value is when it is written, about; not more than a little past the budget."""
    if isinstance(value, int):
        return value.bit_length() // 3
    if isinstance(value, str):
        return len(value)
    total = 0
    for item in _items(value):
        total += 1 + size(item)
        if total > _OF_A_TEMPLATE:
            break
    return total


def check_length(length: int) -> None:
    """Raise BudgetError for a text that would be longer than the budget."""
    if length > _OF_A_TEMPLATE:
        raise BudgetError(f"it would be too long: {length:,} characters")


def check_format(text: str, args: Iterable[object], *, percent: bool) -> None:
    """Raise BudgetError for a format that could make a text longer than the budget."""
    mark = "%" if percent else "{"
    fields = text.replace(mark + mark, "").split(mark)[1:]
    widest = max(map(_percent_width if percent else _brace_width, fields), default=0)
    longest = max(map(_longest, args), default=0)
    check_length(len(text) + len(fields) * max(widest + longest, _LONGEST_NUMBER))


def _percent_width(field: str) -> int:
    """How wide a field makes a text, from what is behind its `%` up to the next one."""
    match = _PERCENT_FIELD.match(field)
    assert match is not None  # all of it is optional
    if field.startswith("(") and match.end() == 0:
        raise BudgetError("the name of a field of a format cannot have '%' in it")
    return sum(map(_number, match.groups()))


def _brace_width(field: str) -> int:
    """How wide a field makes a text, from what is behind its `{` up to the next one."""
    field, closed, _ = field.partition("}")
    spec = field.partition(":")[2]
    if not closed and spec:
        raise BudgetError("a format cannot take a width from an argument")
    return sum(map(_number, _DIGITS.findall(spec)))


def _number(digits: str | None) -> int:
    if digits == "*":
        raise BudgetError("a format cannot take a width from an argument")
    return _OF_A_TEMPLATE if len(digits or "") > 7 else int(digits or 0)


def _longest(value: object) -> int:
    return (
        max(map(size, _items(value)), default=0) if isinstance(value, list | tuple | Mapping) else size(value)
    )


def _items(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return (*value, *value.values())
    return value if isinstance(value, list | tuple) else ()

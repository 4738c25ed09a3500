"""The Jinja environment of templates: expressions only, sandboxed, and within a budget.

Only `{{ … }}` is a template; `{%` and `{#` are text, as shells, SQL and JSON have it. What a few characters of
an expression could blow up is counted: every operation of an expression costs as much as its result is long,
and one that could be long is refused before it is made. The count is the same on every machine, so a template
that one accepts is not refused by another.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

__all__ = ["NEVER", "BudgetError", "environment", "within_budget"]

NEVER = "\0"
"""A character that no text has: what would begin a statement or a comment begins with it."""

_BUDGET = 2_000_000  # characters and items that the operations of one template may make, all together
_LARGEST = 1_000  # the greatest number that is raised to a power, and the greatest power
_WIDEST = 100_000  # the greatest width, precision or count that an operation takes

_FILTERS = """
abs capitalize center count d default e escape first float format indent int items join last length list lower
max min reject rejectattr replace reverse round select selectattr map sort string sum title tojson trim truncate
unique upper urlencode wordcount
""".split()  # noqa: SIM905 - read as prose, not as 40 lines
_METHODS = """
capitalize casefold center count endswith expandtabs find format index isalnum isalpha isascii isdecimal isdigit
islower isnumeric isspace istitle isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind
rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title upper zfill
astimezone date isocalendar isoformat isoweekday strftime time timestamp toordinal total_seconds utcoffset weekday
get items keys values
""".split()  # noqa: SIM905
_WIDE = ("center", "expandtabs", "indent", "ljust", "rjust", "round", "zfill")
_WIDE_FORMAT = re.compile(r"%[-+ #0]*(\d{6}|\*)|%[^a-zA-Z%]*\.(\d{6}|\*)|\{[^}]*:[^}]*(\d{6}|\{)")

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


class BudgetError(ValueError):
    """An expression would take more than any sensible one does."""


@contextmanager
def within_budget() -> Iterator[None]:
    """Count what is evaluated inside as one template."""
    token = _left.set([_BUDGET])
    try:
        yield
    finally:
        _left.reset(token)


def environment() -> SandboxedEnvironment:
    """A new environment."""
    made = _Environment(
        block_start_string=f"{NEVER}{{%",
        block_end_string=f"%}}{NEVER}",
        comment_start_string=f"{NEVER}{{#",
        comment_end_string=f"#}}{NEVER}",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        optimized=False,  # constants count against the budget, too
    )
    made.globals.clear()  # `range`, `lipsum` and the like are not among Airflow's names
    made.filters = {name: _counted(name, made.filters[name]) for name in _FILTERS}
    return made


class _Environment(SandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*" and (length := _length_of_product(left, right)) > _BUDGET:
            raise BudgetError(f"the product is too long: {length:,} characters")
        if operator == "**" and max(abs(left), abs(right)) > _LARGEST:
            raise BudgetError("the power is too large")
        if operator == "%" and isinstance(left, str):
            _check_format(left)
        return _spent(super().call_binop(context, operator, left, right))

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        name = getattr(obj, "__name__", "")
        if name not in _METHODS:
            raise BudgetError(f"{name or 'this'}() is not available in templates")
        subject = getattr(obj, "__self__", "")
        _check_growth(name, subject, (*args, *kwargs.values()))
        return _spent(super().call(context, obj, *args, **kwargs))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A task named `get` is that task, not the method of a dict."""
        if isinstance(obj, Mapping) and attribute in obj:
            return _spent(obj[attribute])
        return _spent(super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return _spent(super().getitem(obj, argument))


def _counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    passed = getattr(function, "jinja_pass_arg", None) is not None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        subject, *others = args[1:] if passed else args
        _check_growth(name, subject, (*others, *kwargs.values()))
        return _spent(function(*args, **kwargs))

    return call


def _spent(value: Any) -> Any:
    """The value, paid for."""
    left = _left.get()
    if left is not None:
        left[0] -= 1 + _size(value)
        if left[0] < 0:
            raise BudgetError("the template takes too much: its values are too long, or there are too many")
    return value


def _size(value: Any) -> int:
    """How long the value is when it is written, about; not more than a little past the budget."""
    if isinstance(value, int):
        return value.bit_length() // 3
    if isinstance(value, str):
        return len(value)
    size = 0
    for item in (*value, *value.values()) if isinstance(value, dict) else value if _is_list(value) else ():
        size += 1 + _size(item)
        if size > _BUDGET:
            break
    return size


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _check_growth(name: str, subject: Any, args: tuple[Any, ...]) -> None:
    """Raise BudgetError for an operation whose result could be much longer than what it is made from."""
    if name in _WIDE and any(isinstance(arg, int) and abs(arg) > _WIDEST for arg in args):
        raise BudgetError(f"a number is too large for {name}")
    if not isinstance(subject, str):
        if name == "join" and args:
            _check_length(_size(subject) * _size(args[0]))
        return
    if name == "format":
        _check_format(subject)
    elif name == "indent":
        _check_length(subject.count("\n") * max((_width(arg) for arg in args), default=4))
    elif name == "replace" and len(args) > 1:
        old, new = str(args[0]), str(args[1])
        _check_length((subject.count(old) if old else len(subject) + 1) * len(new))
    elif name == "join" and args:
        _check_length(_size(subject) * _size(args[0]) + _size(args[0]) * _size(subject))


def _width(value: Any) -> int:
    return value if isinstance(value, int) else _size(value)


def _check_length(length: int) -> None:
    if length > _BUDGET:
        raise BudgetError(f"the text is too long: {length:,} characters")


def _check_format(text: str) -> None:
    """Raise BudgetError for a format that asks for a very wide text, or for as wide a one as an argument says."""
    if _WIDE_FORMAT.search(text):
        raise BudgetError("the format is too wide, or takes its width from an argument")


def _length_of_product(left: Any, right: Any) -> int:
    """How long the text or list is that `*` makes; 0 for a number."""
    if isinstance(left, str | list | tuple):
        left, right = right, left
    return _size(right) * int(left) if isinstance(right, str | list | tuple) else 0

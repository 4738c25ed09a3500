"""The Jinja environment of templates: expressions only, sandboxed, and within a budget.

Only `{{ … }}` is a template; `{%` and `{#` are text, as shells, SQL and JSON have it. What a few characters of
an expression could blow up is counted, by budget.py: each operator, filter, test, method and attribute comes by here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, cast

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from windlass.templates.budget import BudgetError, check_format, check_length, size, spent

__all__ = ["environment"]

_NEVER = "\0"  # no text has it: what would begin a statement or a comment begins with it
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
_BIT_BY_BIT = (Iterator, KeysView, ValuesView, ItemsView)


def environment() -> SandboxedEnvironment:
    """A new environment."""
    made = _Environment(
        block_start_string=f"{_NEVER}{{%",
        block_end_string=f"%}}{_NEVER}",
        comment_start_string=f"{_NEVER}{{#",
        comment_end_string=f"#}}{_NEVER}",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        optimized=False,  # constants count against the budget, too
    )
    made.globals.clear()  # `range`, `lipsum` and the like are not among Airflow's names
    made.filters = {name: _counted(name, made.filters[name]) for name in _FILTERS}
    made.tests = {name: _counted(name, cast("Any", test)) for name, test in made.tests.items()}
    return made


class _Environment(SandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        for operand in (left, right):
            _check_number(operand)
        if operator == "*":
            check_length(_length_of_product(left, right))
        if operator == "**" and max(abs(left), abs(right)) > _LARGEST:
            raise BudgetError("the power is too large")
        if operator == "%" and isinstance(left, str):
            check_format(left, [right], percent=True)
        return spent(super().call_binop(context, operator, left, right))

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        name = getattr(obj, "__name__", "")
        if name not in _METHODS:
            raise BudgetError(f"{name or 'this'}() is not available in templates")
        args = tuple(map(_gathered, args))
        method = getattr(obj, "__wrapped__", obj)  # Jinja wraps `format`
        _check_growth(name, getattr(method, "__self__", None), (*args, *kwargs.values()), percent=False)
        return spent(super().call(context, obj, *args, **kwargs))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A task named `get` is that task, not the method of a dict."""
        if isinstance(obj, Mapping) and attribute in obj:
            return spent(obj[attribute])
        return spent(super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return spent(super().getitem(obj, argument))


def _counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter or test, within the budget."""
    passed = int(getattr(function, "jinja_pass_arg", None) is not None)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        subject, *others = map(_gathered, args[passed:])
        _check_growth(name, subject, (*others, *kwargs.values()), percent=True)
        return spent(function(*args[:passed], subject, *others, **kwargs))

    return call


def _gathered(value: Any) -> Any:
    """What one filter hands to the next bit by bit, as a list, whose length is known."""
    return list(value) if isinstance(value, _BIT_BY_BIT) else value


def _check_growth(name: str, subject: Any, args: tuple[Any, ...], *, percent: bool) -> None:
    """Raise BudgetError for an operation whose result could be much longer than what it is made from."""
    for value in (subject, *args):
        _check_number(value)
    if name in _WIDE and any(isinstance(arg, int) and abs(arg) > _WIDEST for arg in args):
        raise BudgetError(f"a number is too large for {name}")
    if name == "sum" and any(isinstance(arg, list | tuple) for arg in args):
        raise BudgetError("sum adds numbers")  # lists it would copy again and again
    if name == "join" and args:
        check_length(size(subject) * (1 + size(args[0])) + size(args[0]))
    if not isinstance(subject, str):
        return
    if name == "format":
        check_format(subject, args, percent=percent)
    elif name == "indent":
        check_length(subject.count("\n") * max((_width(arg) for arg in args), default=4))
    elif name == "expandtabs":
        check_length(subject.count("\t") * max((_width(arg) for arg in args), default=8))
    elif name == "replace" and len(args) > 1:
        old, new = str(args[0]), str(args[1])
        check_length((subject.count(old) if old else len(subject) + 1) * len(new))


def _width(value: Any) -> int:
    return value if isinstance(value, int) else size(value)


def _check_number(value: Any) -> None:
    """Raise BudgetError for a number that is written out in thousands of digits, which was not paid for."""
    if isinstance(value, int):
        spent(value)


def _length_of_product(left: Any, right: Any) -> int:
    """How long the text or list is that `*` makes; 0 for a number."""
    if isinstance(left, str | list | tuple):
        left, right = right, left
    return size(right) * int(left) if isinstance(right, str | list | tuple) else 0

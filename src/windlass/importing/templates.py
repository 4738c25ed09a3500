"""The templates of a low-code manifest (`{{ response['meta'].next }}`), as far as they only say where something is.

What stands between the braces is Jinja, most of which is also Python: so Python's own parser reads it, and what is
found there is looked at as a tree. Nothing of a manifest is ever executed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = [
    "Moment",
    "Place",
    "Test",
    "constant_or",
    "is_template",
    "path_of",
    "pieces_of",
    "tests_of",
    "value_of",
]

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_CONSTANTS = {"none": None, "null": None, "true": True, "false": False, "None": None}
_UNCHANGED = {"int", "string", "tojson", "trim", "str", "float", "urlencode"}
_PLAIN = re.compile(r"[A-Za-z_@]\w*", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where something is: in the answer, the configuration, the slice."""

    root: str
    path: tuple[str | int, ...] = ()
    default: object = None
    format: str | None = None
    """How a time that is there is written."""


@dataclass(frozen=True)
class Moment:
    """The time of the run, and how it is written."""

    format: str = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Test:
    """What is asked of a place: whether it is `absent`, `present`, `==` or `!=` a value."""

    place: Place
    asks: str
    value: object = None


class _UnknownError(Exception):
    """Something else than a place."""


def is_template(text: object) -> bool:
    return isinstance(text, str) and ("{{" in text or "{%" in text)


def pieces_of(text: str) -> list[object] | None:
    """Texts, constants, places and moments that a text is made of; None where a template is something else.

    >>> pieces_of("a/{{ config['b'] or 'c' }}")
    ['a/', Place(root='config', path=('b',), default='c', format=None)]
    """
    if "{%" in text:
        return None
    found: list[object] = []
    end = 0
    try:
        for match in _EXPRESSION.finditer(text):
            found += [text[end : match.start()], _parsed(match[1], _value)]
            end = match.end()
    except _UnknownError:
        return None
    return [piece for piece in (*found, text[end:]) if piece != ""]


def value_of(text: object) -> object:
    """The one thing that a text is: a constant, a place, a moment; the text itself where it is several or something else."""
    if not isinstance(text, str) or not is_template(text):
        return text
    pieces = pieces_of(text.strip().strip("'\"") if text.strip()[:1] in "'\"" else text.strip())
    return pieces[0] if pieces is not None and len(pieces) == 1 else text


def constant_or(text: str) -> Any:
    """The constant that a template is; else the text as it is."""
    value = value_of(text)
    return text if isinstance(value, Place | Moment) else value


def path_of(place: Place) -> str:
    """Where it is, as a path of ours (JMESPath).

    >>> path_of(Place("response", ("a", -1, "@odata.next")))
    'a[-1]."@odata.next"'
    """
    path = ""
    for step in place.path:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += ("." if path else "") + (step if _PLAIN.fullmatch(step) else f'"{step}"')
    return path


def tests_of(text: str) -> list[Test] | None:
    """What a condition asks, any of which makes it true; None where it asks something else.

    >>> tests_of("{{ 'next' not in response.meta or not response.more }}")[0].place.path
    ('meta', 'next')
    """
    found = _EXPRESSION.fullmatch(text.strip())
    try:
        tests: list[Test] = _parsed(found[1] if found else text, _tests)
    except _UnknownError:
        return None
    return tests


def _parsed(text: str, read: Callable[[ast.expr], Any]) -> Any:
    try:
        return read(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise _UnknownError from exc


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Name(name):
            return Place(name)
        case ast.Attribute(of, name):
            return _below(_value(of), name)
        case ast.Subscript(of, key):
            return _below(_value(of), _value(key))
        case ast.UnaryOp(ast.USub(), ast.Constant(int(number))):
            return -number
        case ast.Call(function, arguments):
            return _called(function, arguments)
        case ast.BoolOp(ast.Or(), [first, ast.Constant(default)]):
            return _with_default(_value(first), default)
        case ast.BoolOp(ast.Or(), [first, ast.Call(ast.Name("day_delta" | "now_utc" | "today_utc"))]):
            return _place(_value(first))
        case ast.BoolOp(ast.Or(), values) if all(isinstance(each, ast.Constant) for each in values):
            return next((each.value for each in values if each.value), None)  # type: ignore[attr-defined]
        case ast.BinOp(of, ast.BitOr(), filtering):
            return _filtered(_value(of), filtering)
        case ast.IfExp(test, body, other):
            return _if_there(test, _value(body), _value(other))
        case ast.List(items):
            return [_value(item) for item in items]
    raise _UnknownError


def _below(value: object, step: object) -> Place:
    if not isinstance(value, Place) or not isinstance(step, str | int) or isinstance(step, bool):
        raise _UnknownError
    return replace(value, path=(*value.path, step), default=None)


def _with_default(value: object, default: object) -> object:
    return replace(value, default=default) if isinstance(value, Place) else value or default


def _filtered(value: Any, filtering: ast.expr) -> object:
    match filtering:
        case ast.Name(name) if name in _UNCHANGED:
            return value
        case ast.Call(ast.Name("default"), [ast.Constant(default), *_]):
            return _with_default(value, default)
        case ast.Call(ast.Name("default"), [ast.Call(ast.Name("day_delta" | "now_utc")), *_]):
            return _place(value)
    raise _UnknownError


def _if_there(test: ast.expr, value: object, default: object) -> object:
    """A place that is asked for before it is taken: `a.b if a else none`."""
    if isinstance(default, Place | Moment):
        raise _UnknownError
    for each in _tests(test):
        is_above = isinstance(value, Place) and value.path[: len(each.place.path)] == each.place.path
        if not is_above or each.asks != "present" or each.place.root != value.root:  # type: ignore[attr-defined]
            raise _UnknownError
    return _with_default(value, default)


def _called(function: ast.expr, arguments: list[ast.expr]) -> object:
    match function, arguments:
        case ast.Attribute(of, "get"), [key, *default]:
            found = _below(_value(of), _value(key))
            simple = default and isinstance(default[0], ast.Constant)
            return replace(found, default=_value(default[0])) if simple else found
        case ast.Attribute(ast.Constant(","), "join"), [joined]:
            return _place(_value(joined))
        case ast.Attribute(of, "strip"), _:
            return _value(of)
        case ast.Name("now_utc" | "today_utc"), []:
            return Moment("%Y-%m-%d" if function.id == "today_utc" else Moment.format)
        case ast.Attribute(of, "strftime" | "isoformat"), [ast.Constant(str(format_))]:
            return _formatted(_value(of), format_)
        case ast.Name("format_datetime"), [of, ast.Constant(str(format_)), *_]:
            return _formatted(_value(of), format_)
        case ast.Name("int" | "str" | "string"), [of]:
            return _value(of)
    raise _UnknownError


def _place(value: object) -> Place:
    if not isinstance(value, Place):
        raise _UnknownError
    return value


def _formatted(value: object, format_: str) -> object:
    return Moment(format_) if isinstance(value, Moment) else replace(_place(value), format=format_)


_OPPOSITE: Mapping[str, str] = {"absent": "present", "present": "absent", "==": "!=", "!=": "=="}


def _tests(node: ast.expr) -> list[Test]:
    match node:
        case ast.BoolOp(ast.Or(), values):
            return [test for value in values for test in _tests(value)]
        case ast.BoolOp(ast.And(), values):
            return _all_of([test for value in values for test in _tests(value)])
        case ast.UnaryOp(ast.Not(), of):
            return [replace(test, asks=_OPPOSITE[test.asks]) for test in _one(_tests(of))]
        case ast.Compare(left, [operator], [right]):
            return [_compared(left, operator, right)]
        case ast.Constant(False):
            return []
        case ast.Name("false" | "False"):
            return []
    return [Test(_place(_value(node)), "present")]


def _one(tests: list[Test]) -> list[Test]:
    if len(tests) != 1:
        raise _UnknownError
    return tests


def _all_of(tests: list[Test]) -> list[Test]:
    """One that says it all: `'error' in response and response.error.code == 7` asks for the code."""
    last = tests[-1]
    for test in tests[:-1]:
        if test.asks != "present" or last.place.path[: len(test.place.path)] != test.place.path:
            raise _UnknownError
    return [last]


def _compared(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Test:
    match operator, right:
        case ((ast.Is() | ast.Eq()), (ast.Constant(None | "") | ast.Name("none" | "null" | "undefined"))):
            return Test(_place(_value(left)), "absent")
        case (
            (ast.IsNot() | ast.NotEq()),
            (ast.Constant(None | "") | ast.Name("none" | "null" | "undefined")),
        ):
            return Test(_place(_value(left)), "present")
        case ast.Is(), ast.Name("defined"):
            return Test(_place(_value(left)), "present")
        case ast.IsNot(), ast.Name("defined"):
            return Test(_place(_value(left)), "absent")
        case ((ast.In() | ast.NotIn()), _):  # codespell:ignore notin
            return Test(
                _below(_value(right), _value(left)), "present" if isinstance(operator, ast.In) else "absent"
            )
        case ((ast.Is() | ast.Eq()), _):
            return _equal(left, _value(right))
        case ((ast.IsNot() | ast.NotEq()), _):
            test = _equal(left, _value(right))
            return replace(test, asks=_OPPOSITE[test.asks])
    raise _UnknownError


def _equal(left: ast.expr, value: object) -> Test:
    if isinstance(value, Place | Moment):
        raise _UnknownError
    if isinstance(left, ast.BinOp) and ast.unparse(left.right) in ("length", "count") and value == 0:
        return Test(_place(_value(left.left)), "absent")
    return Test(_place(_value(left)), "==", value)

"""Templates: sandboxed Jinja with Airflow's names, evaluated as far as compile time allows.

`params` is known when a pipeline is compiled, the other names only when it runs. So an expression
that needs only `params` is replaced by its value, and the rest stays behind as a template that every
target can express. A value that happens to contain `{{` becomes an expression that gives it: whatever string
a plan holds, rendering it once more gives what was meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from windlass.errors import Code, FatalError, did_you_mean, near_word
from windlass.templates.budget import within_budget

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

__all__ = [
    "RUN_TIME_NAMES",
    "Names",
    "TemplateError",
    "Uses",
    "evaluate",
    "filled",
    "is_template",
    "names_in",
    "pattern",
    "render",
    "tasks_in",
    "variables",
]

RUN_TIME_NAMES = ("ds", "ts", "logical_date", "data_interval_start", "data_interval_end", "run_id")
_DATES = ("logical_date", "data_interval_start", "data_interval_end")
_EACH = "each"
_BASES = (*RUN_TIME_NAMES, "params", "services", "tasks", _EACH)
_CR = "\0r"  # stands for a carriage return while Jinja looks at a text: it would make \r\n a \n
_SERVICE_ATTRIBUTES = ("url", "host", "port")
_TASK_ATTRIBUTES = ("path",)


class TemplateError(Exception):
    """A template that cannot be evaluated; the message says why, `hint` what may have been meant, `others` what
    else is wrong with it.
    """

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        code: Code = Code.INVALID_TEMPLATE,
        others: Sequence[TemplateError] = (),
    ) -> None:
        super().__init__(message)
        self.hint, self.code, self.others = hint, code, tuple(others)


@dataclass(frozen=True)
class Names:
    """The names a template of one pipeline may use."""

    params: Mapping[str, object]
    services: frozenset[str]
    tasks: frozenset[str]
    params_at_run: bool = False
    """Whether params are left open too, for a scheduler that knows them only when a run begins."""

    near: Callable[[str, Collection[str]], str | None] = did_you_mean
    """Finds what may have been meant instead of an unknown name."""

    each: bool = False
    """Whether there is an entry of `for_each`, which only a run knows."""

    @property
    def at_compile_time(self) -> frozenset[str]:
        return frozenset() if self.params_at_run else frozenset({"params"})


@dataclass
class Uses:
    """Which services and tasks the templates of one task were seen to name."""

    services: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)


def is_template(text: str) -> bool:
    """Whether rendering could change the text."""
    return "{{" in text


def evaluate(text: str, names: Names, uses: Uses) -> object:
    """Evaluate what `params` allows. Text that is one single expression keeps its value's type.

    What was evaluated is returned as text in which nothing is left to render; what was not, as a
    template. Raises TemplateError.
    """
    if not is_template(text):
        return text
    segments = _segments(text)
    _check(segments, names, uses)
    with within_budget():
        if len(segments) == 1 and segments[0].is_expression and not _is_open(segments[0], names):
            return _protect(_scalar(_value_of(segments[0].text, {"params": names.params})))
        return "".join(_partly(segment, names) for segment in segments)


def filled(text: str, entry: object) -> object:
    """Evaluate what takes `each`, an entry of `for_each`, and nothing else; text that is that alone keeps its value's type.

    Where an expression takes other names, too, the entry itself takes the place of `each`. Raises TemplateError.
    """
    if not is_template(text):
        return text
    segments = _segments(text)
    if not any(segment.is_expression and _EACH in _analysed(segment.text).undeclared for segment in segments):
        return text
    _check_keys(segments, entry)
    with within_budget():
        if len(segments) == 1 and _analysed(segments[0].text).undeclared == {_EACH}:
            return _protect(_value_of(segments[0].text, {_EACH: entry}))
        return "".join(_with_entry(segment, entry) for segment in segments)


def _check_keys(segments: Sequence[_Segment], entry: object) -> None:
    """Raise TemplateError for a key that the entry does not have."""
    paths = [
        path for s in segments if s.is_expression for base, path in _analysed(s.text).paths if base == _EACH
    ]
    for key in (path[0] for path in paths):
        if not isinstance(entry, dict):
            raise TemplateError(
                f"`each` is {entry!r} here and has no key {key!r}", code=Code.UNKNOWN_TEMPLATE_NAME
            )
        if key not in entry:
            hint = did_you_mean(key, [str(known) for known in entry])
            raise TemplateError(f"the entry has no key {key!r}", hint, Code.UNKNOWN_TEMPLATE_NAME)


def _with_entry(segment: _Segment, entry: object) -> str:
    if not segment.is_expression:
        return segment.text
    undeclared = _analysed(segment.text).undeclared
    if undeclared == {_EACH}:
        value = _text(_value_of(segment.text, {_EACH: entry}))
        return _literal(value) if any(character in value for character in "{}") else value
    return "{{" + (_instead_of_each(segment.text, entry) if _EACH in undeclared else segment.text) + "}}"


def _instead_of_each(expression: str, entry: object) -> str:
    """The expression with the entry where it says `each`: as a name, not as an attribute or an argument's name."""
    tokens = [
        (kind, text) for _, kind, text in _environment().lex("{{" + expression.replace("\r", _CR) + "}}")
    ][1:-1]
    solid = [i for i, (kind, _) in enumerate(tokens) if kind != "whitespace"]
    beside = {
        place: (before, after)
        for before, place, after in zip([-1, *solid], solid, [*solid[1:], -1], strict=False)
    }
    names = {
        place
        for place, (before, after) in beside.items()
        if tokens[place] == ("name", _EACH)
        and (before < 0 or tokens[before][1] != ".")
        and (after < 0 or tokens[after][1] != "=")
    }
    parts = (_as_literal(entry) if i in names else text for i, (_, text) in enumerate(tokens))
    return "".join(parts).replace(_CR, "\r")


def _as_literal(value: object) -> str:
    """The value as Jinja writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_as_literal(k)}: {_as_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_literal, value)) + "]"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def render(text: str, known: Mapping[str, object]) -> str:
    """Render a string of a plan with the run's `variables`. Raises FatalError."""
    if not is_template(text):
        return text
    try:
        return _render(text, known)
    except TemplateError as exc:
        raise FatalError(f"cannot render {text!r}: {exc}", hint=exc.hint, code=exc.code) from exc


def variables(
    *,
    run_id: str,
    logical_date: datetime,
    interval: tuple[datetime, datetime],
    params: Mapping[str, object],
    services: Mapping[str, Mapping[str, object]],
    paths: Mapping[str, str],
) -> dict[str, object]:
    """What the templates of a task may use. Same names, same meaning, same format as in Airflow.

    `paths` are templates themselves, of the task in the plan. Raises FatalError.
    """
    tasks: dict[str, dict[str, str]] = {}
    known = {
        "ds": logical_date.strftime("%Y-%m-%d"),
        "ts": logical_date.isoformat(),
        "logical_date": logical_date,
        "data_interval_start": interval[0],
        "data_interval_end": interval[1],
        "run_id": run_id,
        "params": params,
        "services": services,
        "tasks": tasks,
    }
    for name, path in paths.items():
        tasks[name] = {"path": render(path, known)}
    return known


def names_in(text: str) -> frozenset[str]:
    """The names that a template takes. Raises TemplateError."""
    if not is_template(text):
        return frozenset()
    taken = (_analysed(segment.text).undeclared for segment in _segments(text) if segment.is_expression)
    return frozenset().union(*taken)


def tasks_in(text: str) -> frozenset[str]:
    """The tasks whose paths a template takes."""
    if not is_template(text):
        return frozenset()
    analyses = [_analysed(segment.text) for segment in _segments(text) if segment.is_expression]
    return frozenset(path[0] for analysis in analyses for base, path in analysis.paths if base == "tasks")


def pattern(text: str, known: Mapping[str, object]) -> str:
    """A string of a plan with a `*` for each part that takes more than the `known` names."""
    if not is_template(text):
        return text
    with within_budget():
        return "".join(_known_part(s.text, known) if s.is_expression else s.text for s in _segments(text))


def _known_part(expression: str, known: Mapping[str, object]) -> str:
    try:
        is_known = _analysed(expression).undeclared <= known.keys()
        return _text(_value_of(expression, known)) if is_known else "*"
    except TemplateError:  # such as the path of a task that has none
        return "*"


@cache
def _environment() -> SandboxedEnvironment:
    from windlass.templates.sandbox import environment

    return environment()


def _parse(text: str) -> nodes.Template:
    from jinja2 import TemplateSyntaxError

    try:
        return _environment().parse(text)
    except TemplateSyntaxError as exc:
        raise TemplateError(f"not a valid template: {exc.message}") from exc
    except RecursionError as exc:
        raise TemplateError("not a valid template: it is nested too deep") from exc


def _render(text: str, known: Mapping[str, object]) -> str:
    """The text with its expressions evaluated; what stands between them stays as it is."""
    with within_budget():
        parts = (_text(_value_of(s.text, known)) if s.is_expression else s.text for s in _segments(text))
        return "".join(parts)


def _check(segments: Sequence[_Segment], names: Names, uses: Uses) -> None:
    """Raise TemplateError for the names that nobody has."""
    analyses = [_analysed(segment.text) for segment in segments if segment.is_expression]
    known = {*RUN_TIME_NAMES, "params", "services", "tasks", *([_EACH] if names.each else [])}
    wrong = [
        TemplateError(
            f"unknown template name {name!r}", _meant(name, names, known), Code.UNKNOWN_TEMPLATE_NAME
        )
        for name in sorted({name for analysis in analyses for name in analysis.undeclared} - known)
    ]
    for base, path in (named for analysis in analyses for named in analysis.paths):
        try:
            _check_attribute(base, path, names, uses)
        except TemplateError as exc:
            wrong.append(exc)
    for bare in dict.fromkeys(analysis.bare for analysis in analyses if analysis.bare):
        wrong.append(TemplateError(f"{bare!r} needs a name and an attribute, such as {bare}.NAME.path"))
    if wrong:
        raise TemplateError(str(wrong[0]), wrong[0].hint, wrong[0].code, wrong[1:])


def _meant(name: str, names: Names, known: Collection[str]) -> str | None:
    return "it is an entry of `for_each`, which is not there" if name == _EACH else names.near(name, known)


class _Analysis(NamedTuple):
    """What an expression asks for."""

    undeclared: frozenset[str]
    """Its free names."""

    paths: tuple[tuple[str, tuple[str, ...]], ...]
    """The attributes taken from them."""

    bare: str | None
    """A name that was to have an attribute."""


@lru_cache(4096)  # texts differ from task to task, and the expressions in them are a few
def _analysed(expression: str) -> _Analysis:
    from jinja2 import TemplateError as JinjaError
    from jinja2 import meta, nodes

    root = _parse("{{" + expression + "}}")
    try:
        paths = tuple(_attribute_paths(root))
        undeclared = meta.find_undeclared_variables(root)
        used = [node.name for node in root.find_all(nodes.Name)]
    except JinjaError as exc:  # an unknown filter or test
        raise TemplateError(str(exc.message), _near_filter(root)) from exc
    except RecursionError as exc:
        raise TemplateError("not a valid template: it is nested too deep") from exc
    bare = [b for b in ("services", "tasks") if used.count(b) > sum(base == b for base, _ in paths)]
    return _Analysis(frozenset(undeclared), paths, bare[0] if bare else None)


def _near_filter(root: nodes.Template) -> str | None:
    """What may have been meant by the filter, or test, that there is not."""
    from jinja2 import nodes

    jinja = _environment()
    for kind, known in ((nodes.Filter, jinja.filters), (nodes.Test, jinja.tests)):
        for node in root.find_all(kind):
            if node.name not in known:
                return near_word(node.name, known)
    return None


def _check_attribute(base: str, path: tuple[str, ...], names: Names, uses: Uses) -> None:
    if base == "params" and path[0] not in names.params:
        hint = names.near(path[0], names.params)
        raise TemplateError(f"unknown parameter {path[0]!r}", hint, Code.UNKNOWN_PARAMETER)
    if base in _DATES and path[0] and not hasattr(datetime, path[0]):
        hint = names.near(path[0], dir(datetime))
        raise TemplateError(f"{base} has no attribute {path[0]!r}", hint, Code.UNKNOWN_TEMPLATE_NAME)
    if base == "services":
        if path[0] not in names.services:
            hint = names.near(path[0], names.services)
            raise TemplateError(f"unknown service {path[0]!r}", hint, Code.UNKNOWN_TEMPLATE_NAME)
        _check_last(path, _SERVICE_ATTRIBUTES, "a service")
        uses.services.add(path[0])
    if base == "tasks":
        if path[0] not in names.tasks:
            hint = names.near(path[0], names.tasks)
            raise TemplateError(f"unknown task {path[0]!r}", hint, Code.UNKNOWN_TEMPLATE_NAME)
        _check_last(path, _TASK_ATTRIBUTES, "a task")
        uses.tasks.add(path[0])


def _check_last(path: tuple[str, ...], known: tuple[str, ...], owner: str) -> None:
    if len(path) < 2 or path[1] not in known:
        got = f", not {path[1]!r}" if len(path) > 1 else ""
        hint = near_word(path[1], known) if got else None
        raise TemplateError(f"{owner} has {', '.join(known)}{got}", hint, Code.UNKNOWN_TEMPLATE_NAME)


def _attribute_paths(root: nodes.Template) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every `base.a.b` or `base['a']` of the template, as (base, (a, b)); longest chains only."""
    from jinja2 import nodes

    inner: set[int] = set()
    for node in root.find_all((nodes.Getattr, nodes.Getitem)):
        if id(node) in inner:
            continue
        path: list[str] = []
        current: nodes.Expr = node
        while isinstance(current, nodes.Getattr | nodes.Getitem):
            inner.add(id(current))
            name = _attribute_name(current)
            path.insert(0, name if name is not None else "")
            current = current.node
        if isinstance(current, nodes.Name) and current.name in _BASES:
            if not path[0] and current.name not in RUN_TIME_NAMES:
                raise TemplateError(f"{current.name}[…] needs a constant name")
            yield current.name, tuple(path)


def _attribute_name(node: Any) -> str | None:
    from jinja2 import nodes

    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    return None


class _Segment(NamedTuple):
    """A part of a text: an expression, without its braces, or what stands between expressions."""

    text: str
    is_expression: bool


@lru_cache(4096)
def _segments(text: str) -> list[_Segment]:
    """The text in parts. Raises TemplateError."""
    from jinja2 import TemplateSyntaxError

    found: list[_Segment] = []
    expression: list[str] | None = None
    try:
        for _, kind, value in _environment().lex(text.replace("\r", _CR)):
            if kind == "variable_begin":
                expression = []
            elif kind == "variable_end" and expression is not None:
                found.append(_Segment("".join(expression).replace(_CR, "\r"), is_expression=True))
                expression = None
            elif expression is not None:
                expression.append(value)
            else:
                found.append(_Segment(value.replace(_CR, "\r"), is_expression=False))
    except TemplateSyntaxError as exc:
        raise TemplateError(f"not a valid template: {exc.message}") from exc
    if expression is not None:
        raise TemplateError("not a valid template: expected '}}' after '{{'")
    return found


def _partly(segment: _Segment, names: Names) -> str:
    """The segment as text of a plan: an expression that needs more than `params` stays one."""
    if not segment.is_expression:
        return segment.text
    if _is_open(segment, names):
        return "{{" + segment.text + "}}"
    value = _text(_value_of(segment.text, {"params": names.params}))
    return _literal(value) if any(character in value for character in "{}") else value


def _is_open(expression: _Segment, names: Names) -> bool:
    """Whether it needs run-time names."""
    return bool(_analysed(expression.text).undeclared - names.at_compile_time)


def _value_of(expression: str, known: Mapping[str, object]) -> object:
    from jinja2 import TemplateError as JinjaError

    try:
        return _compiled(expression)(**known)
    except (JinjaError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as exc:
        raise TemplateError(str(exc)) from exc


@lru_cache(4096)
def _compiled(expression: str) -> Any:
    return _environment().compile_expression(expression, undefined_to_none=False)


def _scalar(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else str(value)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _protect(value: object) -> object:
    """Keep text that looks like a template from being rendered a second time."""
    return _literal(value) if isinstance(value, str) and is_template(value) else value


def _literal(value: str) -> str:
    """A template that is the value, whatever is in it and stands beside it."""
    return "{{ " + json.dumps(value, ensure_ascii=False) + " }}"

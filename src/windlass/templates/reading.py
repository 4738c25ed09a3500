"""What a template says, before anything is evaluated: its expressions, and the names that each of them takes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from windlass.errors import near_word
from windlass.templates.errors import TemplateError

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

__all__ = [
    "EACH",
    "RUN_TIME_NAMES",
    "Analysis",
    "Segment",
    "analysed",
    "environment",
    "is_template",
    "names_in",
    "segments_of",
    "tasks_in",
    "tokens_of",
]

RUN_TIME_NAMES = ("ds", "ts", "logical_date", "data_interval_start", "data_interval_end", "run_id")
EACH = "each"
_BASES = (*RUN_TIME_NAMES, "params", "services", "tasks", EACH)
_CR = "\0r"  # stands for a carriage return while Jinja looks at a text: it would make \r\n a \n


def is_template(text: str) -> bool:
    """Whether rendering could change the text."""
    return "{{" in text


def names_in(text: str) -> frozenset[str]:
    """The names that a template takes. Raises TemplateError."""
    if not is_template(text):
        return frozenset()
    taken = (analysed(segment.text).undeclared for segment in segments_of(text) if segment.is_expression)
    return frozenset().union(*taken)


def tasks_in(text: str) -> frozenset[str]:
    """The tasks whose paths a template takes."""
    if not is_template(text):
        return frozenset()
    analyses = [analysed(segment.text) for segment in segments_of(text) if segment.is_expression]
    return frozenset(path[0] for analysis in analyses for base, path in analysis.paths if base == "tasks")


# --- a text in parts ------------------------------------------------------------------------------


class Segment(NamedTuple):
    """A part of a text: an expression, without its braces, or what stands between expressions."""

    text: str
    is_expression: bool


@lru_cache(4096)
def segments_of(text: str) -> list[Segment]:
    """The text in parts. Raises TemplateError."""
    from jinja2 import TemplateSyntaxError

    found: list[Segment] = []
    expression: list[str] | None = None
    try:
        for _, kind, value in environment().lex(text.replace("\r", _CR)):
            if kind == "variable_begin":
                expression = []
            elif kind == "variable_end" and expression is not None:
                found.append(Segment("".join(expression).replace(_CR, "\r"), is_expression=True))
                expression = None
            elif expression is not None:
                expression.append(value)
            else:
                found.append(Segment(value.replace(_CR, "\r"), is_expression=False))
    except TemplateSyntaxError as exc:
        raise TemplateError(f"not a valid template: {exc.message}") from exc
    if expression is not None:
        raise TemplateError("not a valid template: expected '}}' after '{{'")
    return found


def tokens_of(expression: str) -> list[tuple[str, str]]:
    """The kind and text of each token of an expression, white space among them."""
    lexed = environment().lex("{{" + expression.replace("\r", _CR) + "}}")
    return [(kind, text.replace(_CR, "\r")) for _, kind, text in lexed][1:-1]


# --- what an expression asks for ------------------------------------------------------------------


class Analysis(NamedTuple):
    """What an expression asks for."""

    undeclared: frozenset[str]
    """Its free names."""

    paths: tuple[tuple[str, tuple[str, ...]], ...]
    """The attributes taken from them."""

    bare: str | None
    """A name that was to have an attribute."""


@lru_cache(4096)  # texts differ from task to task, and the expressions in them are a few
def analysed(expression: str) -> Analysis:
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
    return Analysis(frozenset(undeclared), paths, bare[0] if bare else None)


def _near_filter(root: nodes.Template) -> str | None:
    """What may have been meant by the filter, or test, that there is not."""
    from jinja2 import nodes

    jinja = environment()
    for kind, known in ((nodes.Filter, jinja.filters), (nodes.Test, jinja.tests)):
        for node in root.find_all(kind):
            if node.name not in known:
                return near_word(node.name, known)
    return None


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


def _parse(text: str) -> nodes.Template:
    from jinja2 import TemplateSyntaxError

    try:
        return environment().parse(text)
    except TemplateSyntaxError as exc:
        raise TemplateError(f"not a valid template: {exc.message}") from exc
    except RecursionError as exc:
        raise TemplateError("not a valid template: it is nested too deep") from exc


@cache
def environment() -> SandboxedEnvironment:
    from windlass.templates import sandbox

    return sandbox.environment()

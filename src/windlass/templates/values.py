"""The value of an expression, and text that gives a value when it is rendered once more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from windlass.templates.errors import TemplateError
from windlass.templates.reading import environment, is_template

__all__ = ["as_part", "as_text", "protected", "value_of"]


def value_of(expression: str, known: Mapping[str, object]) -> object:
    from jinja2 import TemplateError as JinjaError

    try:
        return _compiled(expression)(**known)
    except (JinjaError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as exc:
        raise TemplateError(str(exc)) from exc


@lru_cache(4096)
def _compiled(expression: str) -> Any:
    return environment().compile_expression(expression, undefined_to_none=False)


def as_text(value: object) -> str:
    return "" if value is None else str(value)


def protected(value: object) -> object:
    """Keep text that looks like a template from being rendered a second time."""
    return _literal(value) if isinstance(value, str) and is_template(value) else value


def as_part(value: object) -> str:
    """The value as a part of a longer template."""
    text = as_text(value)
    return _literal(text) if any(character in text for character in "{}") else text


def _literal(value: str) -> str:
    """A template that is the value, whatever is in it and stands beside it."""
    return "{{ " + json.dumps(value, ensure_ascii=False) + " }}"

"""Templates that take an entry of `for_each`: filled in when the entry is known, and before the rest is."""

from __future__ import annotations

import json
from collections.abc import Sequence

from windlass.errors import Code, did_you_mean
from windlass.templates.budget import within_budget
from windlass.templates.errors import TemplateError
from windlass.templates.reading import EACH, Segment, analysed, is_template, segments_of, tokens_of
from windlass.templates.values import as_part, protected, value_of

__all__ = ["filled"]


def filled(text: str, entry: object) -> object:
    """Evaluate what takes `each`, an entry of `for_each`, and nothing else; text that is that alone keeps its value's type.

    Where an expression takes other names, too, the entry itself takes the place of `each`. Raises TemplateError.
    """
    if not is_template(text):
        return text
    segments = segments_of(text)
    if not any(segment.is_expression and EACH in analysed(segment.text).undeclared for segment in segments):
        return text
    _check_keys(segments, entry)
    with within_budget():
        if len(segments) == 1 and analysed(segments[0].text).undeclared == {EACH}:
            return protected(value_of(segments[0].text, {EACH: entry}))
        return "".join(_with_entry(segment, entry) for segment in segments)


def _check_keys(segments: Sequence[Segment], entry: object) -> None:
    """Raise TemplateError for a key that the entry does not have."""
    paths = [
        path for s in segments if s.is_expression for base, path in analysed(s.text).paths if base == EACH
    ]
    for key in (path[0] for path in paths):
        if not isinstance(entry, dict):
            raise TemplateError(
                f"`each` is {entry!r} here and has no key {key!r}", code=Code.UNKNOWN_TEMPLATE_NAME
            )
        if key not in entry:
            hint = did_you_mean(key, [str(known) for known in entry])
            raise TemplateError(f"the entry has no key {key!r}", hint, Code.UNKNOWN_TEMPLATE_NAME)


def _with_entry(segment: Segment, entry: object) -> str:
    if not segment.is_expression:
        return segment.text
    undeclared = analysed(segment.text).undeclared
    if undeclared == {EACH}:
        return as_part(value_of(segment.text, {EACH: entry}))
    return "{{" + (_instead_of_each(segment.text, entry) if EACH in undeclared else segment.text) + "}}"


def _instead_of_each(expression: str, entry: object) -> str:
    """The expression with the entry where it says `each`: as a name, not as an attribute or an argument's name."""
    tokens = tokens_of(expression)
    solid = [i for i, (kind, _) in enumerate(tokens) if kind != "whitespace"]
    beside = {
        place: (before, after)
        for before, place, after in zip([-1, *solid], solid, [*solid[1:], -1], strict=False)
    }
    names = {
        place
        for place, (before, after) in beside.items()
        if tokens[place] == ("name", EACH)
        and (before < 0 or tokens[before][1] != ".")
        and (after < 0 or tokens[after][1] != "=")
    }
    parts = (_as_literal(entry) if i in names else text for i, (_, text) in enumerate(tokens))
    return "".join(parts)


def _as_literal(value: object) -> str:
    """The value as Jinja writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_as_literal(k)}: {_as_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_literal, value)) + "]"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)

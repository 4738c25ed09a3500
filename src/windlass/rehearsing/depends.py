"""Whether a task of Argo may start: the language of `depends`.

https://argo-workflows.readthedocs.io/en/latest/enhanced-depends-logic/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from windlass.errors import FatalError

__all__ = ["holds", "names_in"]

_TOKEN = re.compile(r"\s*(&&|\|\||!|\(|\)|[A-Za-z0-9_-]+(?:\.[A-Za-z]+)?)")
_MEANT = ("Succeeded", "Skipped", "Daemoned")  # by a name alone


def names_in(expression: str) -> set[str]:
    """The tasks that it is about."""
    return {token.partition(".")[0] for token in _tokens(expression) if token[0].isalnum()}


def holds(expression: str, became: Mapping[str, str]) -> bool:
    """Whether it holds, where this became of the tasks; an empty one always does. Raises FatalError for one that cannot be read."""
    tokens = [*_tokens(expression), ""]
    if tokens == [""]:
        return True
    found = _either(tokens, became)
    if tokens != [""]:
        raise FatalError(f"`depends: {expression}` is not a valid expression: {tokens[0]!r} was not expected")
    return found


def _tokens(expression: str) -> Iterator[str]:
    position = 0
    while expression[position:].strip():
        found = _TOKEN.match(expression, position)
        if found is None:
            raise FatalError(f"`depends: {expression}` is not a valid expression")
        yield found[1]
        position = found.end()


def _either(tokens: list[str], became: Mapping[str, str]) -> bool:
    return _chain(tokens, became, "||", _both, any)


def _both(tokens: list[str], became: Mapping[str, str]) -> bool:
    return _chain(tokens, became, "&&", _single, all)


def _chain(
    tokens: list[str],
    became: Mapping[str, str],
    between: str,
    part: Callable[[list[str], Mapping[str, str]], bool],
    join: Callable[[list[bool]], bool],
) -> bool:
    found = [part(tokens, became)]
    while tokens[0] == between:
        tokens.pop(0)
        found.append(part(tokens, became))
    return join(found)


def _single(tokens: list[str], became: Mapping[str, str]) -> bool:
    token = tokens.pop(0)
    if token == "!":
        return not _single(tokens, became)
    if token == "(":
        found = _either(tokens, became)
        if tokens.pop(0) != ")":
            raise FatalError("a `depends` lacks its closing bracket")
        return found
    name, _, state = token.partition(".")
    if name not in became:
        raise FatalError(f"a `depends` names {name!r}, which is not a task of its DAG")
    return became[name] == state if state else became[name] in _MEANT

"""Whether an answer says something: `error`, `status == "ok"`, `error.code != null` (a part of JMESPath)."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from windlass.connectors.http import keys

__all__ = ["holds", "is_condition"]

_CONDITION = re.compile(r"\s*(\S+?)\s*(?:(==|!=)\s*(.+?)\s*)?", re.DOTALL)
_EMPTY: tuple[object, ...] = (None, False, "", [], {})


def is_condition(text: str) -> bool:
    """Whether the text says something of an answer."""
    found = _CONDITION.fullmatch(text)
    return found is not None and keys.is_path(found[1]) and (found[2] is None or _is_value(found[3]))


def holds(condition: str, content: object) -> bool:
    """Whether it is so. A path by itself asks for what is neither null, false nor empty."""
    found = _CONDITION.fullmatch(condition)
    assert found is not None
    value = keys.find(keys.parse(found[1]), content)
    if found[2] is None:
        return not any(value is empty or (value == empty and type(value) is type(empty)) for empty in _EMPTY)
    return _same(value, _value(found[3])) == (found[2] == "==")


def _is_value(text: str) -> bool:
    try:
        _value(text)
    except ValueError:
        return False
    return True


def _value(text: str) -> object:
    """As JSON, or as JMESPath has it: `'raw'`, and JSON in backticks."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    value: object = json.loads(text.strip("`"), parse_float=Decimal)
    return value


def _same(one: object, other: object) -> bool:
    """Equal in JSON, where true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)

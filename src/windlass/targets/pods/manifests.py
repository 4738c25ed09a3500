"""Objects as YAML, for readers of 1.1 and of 1.2 alike: text that either could take for something else is quoted.

Readers differ: `n` and `on` are booleans to some, `1e3` and `0o7` numbers, `1:30` a number of minutes. So text stays without
quotes only where it is a word that none of them knows. (PyYAML's own emitter knows 1.1 only, and takes ten times as long.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

__all__ = ["manifests"]

_NESTED = (dict, list)
_PLAIN = re.compile(r"(--)?[A-Za-z/][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*(@sha256:[0-9a-f]+)?")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_SPECIAL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_ESCAPED = re.compile(r'["\\\0-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def manifests(heading: str, objects: Iterable[dict[str, Any]]) -> str:
    """One document for each object, of mappings, lists, text, numbers and booleans. `heading` is text for people."""
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    for number, one in enumerate(objects):
        if number:
            lines.append("---")
        _add(lines, "", "", one)
    return "\n".join(lines) + "\n"


def _add(lines: list[str], head: str, indent: str, value: Any) -> None:
    """Add the lines of a value, the first of which begins with `head`, the others with `indent`. An export has half a million."""
    if not value or not isinstance(value, _NESTED):
        first, *rest = _text(value)
        lines.append(head + first)
        lines += [indent + line if line else line for line in rest]
    elif isinstance(value, dict):
        for key, part in value.items():
            _add_entry(lines, f"{head}{_scalar(key)}:", f"{indent}  ", part)
            head = indent
    else:
        for part in value:
            _add(lines, f"{head}- ", f"{indent}  ", part)
            head = indent


def _add_entry(lines: list[str], key: str, indent: str, value: Any) -> None:
    """Add the lines of a key, and of what is below it."""
    if value and isinstance(value, _NESTED):
        lines.append(key)
        _add(lines, indent, indent, value)
    else:
        _add(lines, f"{key} ", indent, value)


def _text(value: Any) -> list[str]:
    """A scalar; text of several lines as a block, the first line of which says so."""
    if isinstance(value, str) and _is_block(value):
        return ["|", *value[:-1].split("\n")]
    return [_scalar(value)]


def _is_block(text: str) -> bool:
    """Whether the text can stand as it is: lines that end as lines do, with nothing that a reader may refuse or change."""
    return text.endswith("\n") and not text[0].isspace() and text[-2:-1] != "\n" and not _SPECIAL.search(text)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, _NESTED):
        return "{}" if isinstance(value, dict) else "[]"
    return "null" if value is None else str(value).lower()


@lru_cache(1 << 10)
def _quoted(value: str) -> str:
    """Text, in quotes if a reader could take it for something else. Manifests say the same few words again and again."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return f'"{_ESCAPED.sub(_escape, value)}"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _SHORT:
        return _SHORT[character]
    return f"\\u{ord(character):04x}"

"""Objects as YAML, for readers of 1.1 and of 1.2 alike: text that either could take for something else is quoted.

Readers differ: `n` and `on` are booleans to some, `1e3` and `0o7` numbers, `1:30` a number of minutes. So text stays without
quotes only where it is a word that none of them knows. (PyYAML's own emitter knows 1.1 only, and takes ten times as long.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["manifests"]

_PLAIN = re.compile(r"(--)?[A-Za-z/][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*(@sha256:[0-9a-f]+)?")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_BLOCK = re.compile(
    r"(?!\s)[^\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]+(?<!\n)\n"
)
_ESCAPED = re.compile(r'["\\\0-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def manifests(heading: str, objects: Iterable[Mapping[str, Any]]) -> str:
    """One document for each object, of mappings, lists, text, numbers and booleans. `heading` is text for people."""
    told = "".join(f"# {line}".rstrip() + "\n" for line in heading.splitlines())
    return told + "---\n".join("\n".join(_lines(one)) + "\n" for one in objects)


def _lines(value: Any) -> Iterator[str]:
    """The lines of a mapping or a list."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _entry(f"{_scalar(key)}:", part)
    elif isinstance(value, list) and value:
        for part in value:
            first, *rest = _lines(part) if isinstance(part, Mapping | list) else _text(part)
            yield f"- {first}"
            yield from _indented(rest)
    else:
        yield "{}" if isinstance(value, Mapping) else "[]"


def _entry(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list) and value:
        yield key
        yield from _indented(_lines(value))
        return
    first, *rest = _lines(value) if isinstance(value, Mapping | list) else _text(value)
    yield f"{key} {first}"
    yield from _indented(rest)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" if line else line for line in lines)


def _text(value: Any) -> list[str]:
    """A scalar; text of several lines as a block, the first line of which says so."""
    if isinstance(value, str) and "\n" in value and _BLOCK.fullmatch(value):
        return ["|", *value[:-1].split("\n")]
    return [_scalar(value)]


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if not isinstance(value, str):
        return str(value).lower()
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return f'"{_ESCAPED.sub(_escape, value)}"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _SHORT:
        return _SHORT[character]
    return f"\\u{ord(character):04x}"

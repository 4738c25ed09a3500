"""Objects as YAML, for readers of 1.1 and of 1.2 alike: text that either could take for something else is quoted.

Readers differ: `n` and `on` are booleans to some, `1e3` and `0o7` numbers, `1:30` a number of minutes. So text stays without
quotes only where it is a word that none of them knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

__all__ = ["manifests"]

_PLAIN = re.compile(r"(--)?[A-Za-z/][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*(@sha256:[0-9a-f]+)?")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_BREAKS = re.compile(
    "[\r\x85\u2028\u2029\ufeff]"
)  # what some readers take for the end of a line, or leave out


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: what is said twice stands there twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text)
    style = "|" if "\n" in text and not _BREAKS.search(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def manifests(heading: str, objects: Iterable[Mapping[str, Any]]) -> str:
    """One document for each object. `heading` is text for people."""
    told = "".join(f"# {line}".rstrip() + "\n" for line in heading.splitlines())
    written = [
        yaml.dump(dict(one), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
        for one in objects
    ]
    return told + "---\n".join(written)

"""Services as the text of a compose file, with what they have in common said once, as YAML anchors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml

__all__ = ["Service", "document", "literal", "required"]

Service: TypeAlias = dict[str, Any]

_ALIAS = re.compile(r"^( *)(?:'<<'|(logging)): '\*(\w+)'$", re.MULTILINE)
_ANCHOR = re.compile(r"^x-(\w+):$", re.MULTILINE)


def document(heading: str, common: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """The text. `common` has what others take in by `"<<": "*name"`; each gets an anchor of its name."""
    parts = {f"x-{name}": values for name, values in common.items()} | dict(body)
    text = yaml.safe_dump(parts, sort_keys=False, allow_unicode=True, width=1000)
    text = _ALIAS.sub(lambda found: f"{found[1]}{found[2] or '<<'}: *{found[3]}", text)
    text = _ANCHOR.sub(r"x-\1: &\1", text)
    return f"{heading}{re.sub(r'^(?=[a-z])', chr(10), text, flags=re.MULTILINE)}"


def literal(text: str) -> str:
    """Text that compose takes as it is, and finds no variable in."""
    return text.replace("$", "$$")


def required(variable: str) -> str:
    """The value of a variable of `.env`; compose says what to do where it has none."""
    return f"${{{variable}:?is made by windlass export compose}}"

"""The templates of a low-code manifest (`{{ response['meta'].next }}`), as far as they only say where something is."""

from __future__ import annotations

import re

__all__ = ["config_key", "is_template", "parent_values", "place_in"]

_STEP = r"(?:\.(?:get\(\s*['\"]\w+['\"]\s*(?:,[^)]*)?\)|\w+)|\[\s*(?:['\"]\w+['\"]|-?\d+)\s*\])"
_PIECE = re.compile(r"\.get\(\s*['\"](\w+)['\"]|\.(\w+)|\[\s*['\"](\w+)['\"]\s*\]|\[\s*(-?\d+)\s*\]")
_PARENT = re.compile(
    r"\{\{\s*stream_(?:partition|slice)(?:\.(\w+)|\[\s*['\"](\w+)['\"]\s*\]|\.get\(['\"](\w+)['\"]\))\s*\}\}"
)
_CONFIG = re.compile(
    r"\{\{\s*config(?:\.(\w+)|\[\s*['\"](\w+)['\"]\s*\]|\.get\(\s*['\"](\w+)['\"][^)]*\))\s*\}\}"
)


def is_template(text: object) -> bool:
    return isinstance(text, str) and ("{{" in text or "{%" in text)


def place_in(name: str, text: str) -> str | None:
    """Where in what is called that a template looks: keys and places in lists; None where it does something else.

    >>> place_in("response", "{{ response['meta'].next }}"), place_in("response", "{{ response.a[-1].id }}")
    ('meta.next', 'a[-1].id')
    """
    found = re.fullmatch(rf"\{{\{{\s*{name}({_STEP}+)\s*\}}\}}", text.strip())
    if found is None:
        return None
    place = ""
    for match in _PIECE.finditer(found[1]):
        key = match[1] or match[2] or match[3]
        place += f"[{match[4]}]" if key is None else f".{key}" if place else key
    return place


def config_key(text: object) -> str | None:
    """The key of the configuration that a template is.

    >>> config_key("{{ config['start_date'] }}"), config_key("x{{ config.a }}")
    ('start_date', None)
    """
    found = _CONFIG.fullmatch(text.strip()) if isinstance(text, str) else None
    return (found[1] or found[2] or found[3]) if found else None


def parent_values(text: str, values: dict[str, str]) -> str:
    """The text with each field of a parent as `{…}`, as `values` say what it is called here."""

    def named(match: re.Match[str]) -> str:
        field = match[1] or match[2] or match[3]
        return f"{{{values[field]}}}" if field in values else match[0]

    return _PARENT.sub(named, text)

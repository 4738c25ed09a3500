"""The statements of a script of Spark SQL, which takes one at a time."""

from __future__ import annotations

import re

__all__ = ["statements"]

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<text>[rR]'[^']*'|[rR]"[^"]*"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:``|[^`])*`)
    |(?P<end>;)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)


def statements(script: str) -> list[str]:
    """The statements, without those that are empty.

    >>> statements("SELECT ';' -- a; b\\n; SELECT `c;d`;")
    ["SELECT ';' -- a; b", 'SELECT `c;d`']
    """
    parts, begin, is_empty = [], 0, True
    for token in _TOKEN.finditer(script):
        if token["end"]:
            if not is_empty:
                parts.append(script[begin : token.start()].strip())
            begin, is_empty = token.end(), True
        elif not token["comment"] and not token[0].isspace():
            is_empty = False
    return parts if is_empty else [*parts, script[begin:].strip()]

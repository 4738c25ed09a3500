"""Splits a script into statements, as the client `mysql` does, `DELIMITER` included.

Lexical structure: https://dev.mysql.com/doc/refman/8.4/en/language-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["statements"]

_TOKEN = re.compile(
    r"""
    (?P<skipped> \s+ | --(?=\s|$)[^\n]* | \#[^\n]* | /\*(?![!M]).*?(?:\*/|\Z) )
  | (?P<text> '(?:[^'\\]|\\.|'')*(?:'|\Z) | "(?:[^"\\]|\\.|"")*(?:"|\Z) | `(?:[^`]|``)*(?:`|\Z) )
  | (?P<word> [\w$]+ )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_DELIMITER = re.compile(r"delimiter[ \t]+(\S+)[^\n]*", re.IGNORECASE)


def statements(script: str) -> Iterator[tuple[int, str]]:
    """Each statement that is more than comments, and the offset at which it begins.

    >>> [statement for _, statement in statements("SELECT ';'; -- one\\nSELECT 2")]
    ["SELECT ';'", 'SELECT 2']
    """
    delimiter, position = ";", 0
    begin: int | None = None  # of the statement that we are in
    while position < len(script):
        if begin is None and (changed := _DELIMITER.match(script, position)):
            delimiter, position = changed[1], changed.end()
            continue
        if script.startswith(delimiter, position):
            if begin is not None:
                yield begin, script[begin:position].rstrip()
            begin, position = None, position + len(delimiter)
            continue
        found = _TOKEN.match(script, position)
        assert found is not None
        if begin is None and found.lastgroup != "skipped":
            begin = position
        position = _end(found, delimiter)
    if begin is not None:
        yield begin, script[begin:].rstrip()


def _end(token: re.Match[str], delimiter: str) -> int:
    """Where the token ends; a word may have the delimiter in it, as `END$$` has."""
    inside = token[0].find(delimiter, 1) if token.lastgroup == "word" else -1
    return token.end() if inside < 0 else token.start() + inside

"""Splits a script into statements, as psql does: the server runs a whole script as one transaction.

Lexical structure: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["statements"]

_TOKEN = re.compile(
    r"""
    (?P<skipped> --[^\n]* | \s+ )
  | (?P<comment> /\* )
  | (?P<text> \b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" )
  | (?P<dollar> (?<![\w$]) \$(?:[^\W\d]\w*)?\$ )
  | (?P<word> [^\W\d][\w$]* )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)


def statements(script: str) -> Iterator[tuple[int, str]]:
    """Each statement that is more than comments, and the offset at which it begins."""
    begin: int | None = None  # of the statement that we are in
    nesting = 0  # of parentheses, and of BEGIN ATOMIC and CASE in the body of an SQL function
    before, position = "", 0
    while found := _TOKEN.match(script, position):
        position = _end(script, found)
        if found.lastgroup in ("skipped", "comment"):
            continue
        token = found[0].upper()
        if token == ";" and nesting == 0:
            if begin is not None:
                yield begin, script[begin : found.start()]
            begin = None
            continue
        begin = found.start() if begin is None else begin
        nesting = max(0, nesting + _change(token, before, nesting))
        before = token
    if begin is not None:
        yield begin, script[begin:]


def _end(script: str, token: re.Match[str]) -> int:
    """Where the token ends: some reach further than their beginning says."""
    if token.lastgroup == "dollar":
        end = script.find(token[0], token.end())
        return len(script) if end < 0 else end + len(token[0])
    if token.lastgroup == "comment":
        depth, position = 1, token.end()
        while depth and (found := re.compile(r"/\*|\*/").search(script, position)):
            depth += 1 if found[0] == "/*" else -1
            position = found.end()
        return len(script) if depth else position
    return token.end()


def _change(token: str, before: str, nesting: int) -> int:
    if token == "(" or (token == "ATOMIC" and before == "BEGIN") or (token == "CASE" and nesting):
        return 1
    if token == ")" or (token == "END" and nesting):
        return -1
    return 0

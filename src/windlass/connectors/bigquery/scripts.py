"""Statements of a script of BigQuery's SQL, as far as is needed to put them into a transaction."""

from __future__ import annotations

import re

__all__ = ["refused_in_transaction", "statements"]

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|\#[^\n]*|/\*.*?\*/)
    |(?P<text>[rRbB]{0,2}(?:'{3}(?:\\.|.)*?'{3}|"{3}(?:\\.|.)*?"{3}|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")|`[^`]*`)
    |(?P<end>;)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_IN_TRANSACTION = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "ASSERT", "(")
_TEMPORARY = re.compile(r"CREATE\s+(OR\s+REPLACE\s+)?TEMP(ORARY)?\b", re.IGNORECASE)


def statements(script: str) -> list[str]:
    """The statements, without those that are empty.

    >>> statements("SELECT ';' -- a; b\\n; SELECT 1;")
    ["SELECT ';' -- a; b", 'SELECT 1']
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


def refused_in_transaction(statement: str) -> str | None:
    """The word that a statement begins with, if BigQuery does not take it within a transaction, or it is one itself."""
    bare = "".join("" if token["comment"] else token[0] for token in _TOKEN.finditer(statement)).lstrip()
    if bare.upper().startswith(_IN_TRANSACTION) or _TEMPORARY.match(bare):
        return None
    return " ".join(bare.split()[:2]).upper()

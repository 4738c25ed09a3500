"""Names, values and queries in Transact-SQL.

https://learn.microsoft.com/sql/relational-databases/databases/database-identifiers
"""

from __future__ import annotations

import re

from windlass.errors import FatalError

__all__ = ["hoisted", "qualified", "quoted", "text"]

_PART = r'\[(?:[^\]]|\]\])+\]|"(?:[^"]|"")+"|[^\[\]".]+'
_NAME = re.compile(rf"(?:{_PART})?(?:\.(?:{_PART})?){{0,3}}")
_TOKEN = re.compile(
    r"""
    (?P<skipped> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<text> '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | \[(?:[^\]]|\]\])*(?:\]|\Z) )
  | (?P<word> [\w@\#$]+ )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)


def quoted(name: str) -> str:
    """A name as an identifier.

    >>> quoted("a]b")
    '[a]]b]'
    """
    return "[" + name.replace("]", "]]") + "]"


def text(value: str) -> str:
    """A text as a literal.

    >>> text("it's")
    "N'it''s'"
    """
    return "N'" + value.replace("'", "''") + "'"


def qualified(name: str) -> str:
    """A table by the name that somebody wrote: parts in brackets, in double quotes, or as they are.

    >>> qualified("sales.order lines"), qualified("[a]]b]"), qualified('shop..\\"A.b\\"')
    ('[sales].[order lines]', '[a]]b]', '[shop]..[A.b]')

    Raises FatalError for what is not a name.
    """
    if not _NAME.fullmatch(name) or not name.strip("."):
        hint = "expected table, schema.table or database.schema.table, each as it is or as [it is]"
        raise FatalError(f"{name!r} is not the name of a table of SQL Server", hint=hint)
    parts = re.findall(rf"(?:^|\.)({_PART})?", name)
    return ".".join(quoted(_unquoted(part)) if part else "" for part in parts)


def _unquoted(part: str) -> str:
    if part.startswith("["):
        return part[1:-1].replace("]]", "]")
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def hoisted(query: str) -> tuple[str, str]:
    """A query as what has to stand in front of a SELECT that reads from it, `WITH … AS (…)`, and the rest.

    >>> hoisted("WITH x AS (SELECT ')' AS a) SELECT a FROM x;")
    ("WITH x AS (SELECT ')' AS a) ", 'SELECT a FROM x')
    """
    query = query.strip().rstrip(";").rstrip()
    depth, begun, closed = 0, False, False
    for token in _TOKEN.finditer(query):
        kind, said = token.lastgroup, token[0]
        if kind == "skipped":
            continue
        if not begun:
            if said.upper() != "WITH":
                return "", query
            begun = True
        elif said in "()" and kind == "other":
            depth += 1 if said == "(" else -1
            closed = depth == 0
        elif depth == 0 and kind == "word" and closed and said.upper() == "SELECT":
            return query[: token.start()], query[token.start() :]
    return "", query

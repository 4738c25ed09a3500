"""Finds secrets that somebody wrote into a file, where everyone with the repository can read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from windlass.errors import Code, Problem
from windlass.spec.yaml import Document, KeyPath

__all__ = ["find_secrets", "hide_secrets"]

# what it is, a text without which it cannot be there (patterns are only compiled when needed), the pattern
_TOKENS = (
    ("a password in an address", "://", r"(?i)[a-z][a-z0-9+.-]*://[^/\s:@{}]*:(?!\{\{)[^/\s@{}]+@"),
    ("a private key", "PRIVATE KEY", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("a Slack token", "xox", r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    ("a Slack webhook", "hooks.slack.com", r"https://hooks\.slack\.com/services/\S+"),
    ("an AWS access key", "IA", r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a GitHub token", "gh", r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("a Google API key", "AIza", r"\bAIza[A-Za-z0-9_-]{35}\b"),
)
_SECRET_ENDINGS = ("password", "passwd", "passphrase", "apikey", "secretkey")  # as in PGPASSWORD
_SECRET_KEYS = [
    "pwd",
    "secret",
    "token",
    "api_key",
    "access_key",
    "accesskey",
    "secret_key",
    "private_key",
    "privatekey",
    "credential",
    "credentials",
    "authorization",
]
_SECRET_WORDS = tuple(f"_{word}" for word in _SECRET_KEYS)
# a secret by its key, in the text of a line
_SECRET_LINE = re.compile(
    rf"""(?i)((?:{"|".join((*_SECRET_ENDINGS, *(rf"(?<![a-z]){w}" for w in _SECRET_KEYS)))})["']?\s*:\s+["']?)"""
    r"""(?!\s|[\[{]|["']?\{\{)([^\s"',}\]][^"',}\]]*)"""
)

_FILLED = ("{user}", "{password}")
_PLACE = re.compile(
    r"[A-Za-z_]+(\[-?\d+\])?(\.[A-Za-z_]+(\[-?\d+\])?)*"
)  # a token has digits, as good as always


def find_secrets(document: Document) -> list[Problem]:
    """One Problem for each value that is, or by its key must be, a secret."""
    problems: list[Problem] = []
    for path, value in _texts(document.value, ()):
        what = _secret_in(path, value)
        if what:
            hint = f"keep it out of the file: {_where_to_put_it(path)}"
            problems.append(document.problem(path, Code.SECRET_IN_FILE, f"this looks like {what}", hint=hint))
    return problems


def hide_secrets(problems: Iterable[Problem], written: object = None) -> list[Problem]:
    """The problems, without the secrets that stand in the lines and values that they show, as in the `written` file."""
    texts = _texts(written, ())
    known = [value for path, value in texts if _secret_in(path, value)]
    lines = [line.strip() for value in known for line in value.splitlines() if line.strip()]
    patterns = [_literally(line) for line in lines] + [pattern for _, _, pattern in _TOKENS]
    hidden = re.compile("|".join(f"(?:{pattern})" for pattern in patterns).replace("(?i)", ""), re.IGNORECASE)
    return [
        replace(
            problem,
            message=hidden.sub("***", problem.message),
            source_line=_SECRET_LINE.sub(
                lambda match: match[1] + _stars(match[2]),
                hidden.sub(lambda match: _stars(match[0]), problem.source_line),
            ),
        )
        for problem in problems
    ]


def _literally(text: str) -> str:
    """A pattern of the text; of a short one only as a whole word, or it would black out half the line."""
    return re.escape(text) if len(text) >= 8 else rf"(?<!\w){re.escape(text)}(?!\w)"


def _stars(text: str) -> str:
    """As long as the text, so that a caret under the line still points at the right place."""
    return "***"[: len(text)].ljust(len(text))


def _secret_in(path: KeyPath, value: str) -> str | None:
    for what, clue, pattern in _TOKENS:
        if clue in value and re.search(pattern, value):
            return what
    if value and "{{" not in value and path and _is_secret_key(path) and not _says_where(path, value):
        return f"a secret, by its key {path[-1]!r}"
    return None


def _says_where(path: KeyPath, value: str) -> bool:
    """Whether it is where a login has a token, or says what goes where: `token: data.token`, `{password: "{password}"}`."""
    if path[0] != "connections" or "auth" not in path[:-1]:
        return False
    return value in _FILLED or (path[-2:] == ("auth", "token") and _PLACE.fullmatch(value) is not None)


def _is_secret_key(path: KeyPath) -> bool:
    if {"select", "columns"}.intersection(path):  # there the keys are columns: `{token: text}`
        return False
    if path[-1] == "secret" and "env" in path[:-1]:  # it is the name of one: `env: {KEY: {secret: name}}`
        return False
    key = str(path[-1]).lower().replace("-", "_")
    return key.endswith(_SECRET_ENDINGS) or f"_{key}".endswith(_SECRET_WORDS)


def _where_to_put_it(path: KeyPath) -> str:
    if len(path) > 1 and path[0] == "connections":
        name = str(path[1])
        return f"set WINDLASS_CONN_{name.upper().replace('-', '_')} in the environment or in .env"
    return "declare a connection in windlass.yaml, set WINDLASS_CONN_<NAME>, and name it in `connections`"


def _texts(value: object, path: KeyPath) -> list[tuple[KeyPath, str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, dict):
        return [found for k, v in value.items() for found in _texts(v, (*path, k))]
    if isinstance(value, list):
        return [found for i, v in enumerate(value) for found in _texts(v, (*path, i))]
    return []

"""Finds secrets that somebody wrote into a file, where everyone with the repository can read them."""

from __future__ import annotations

import re

from windlass.errors import Problem
from windlass.spec.yaml import Document, KeyPath

__all__ = ["find_secrets"]

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
_SECRET_KEYS = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "private_key",
    "privatekey",
    "credential",
    "credentials",
    "authorization",
]


def find_secrets(document: Document) -> list[Problem]:
    """One Problem for each value that is, or by its key must be, a secret."""
    problems: list[Problem] = []
    for path, value in _texts(document.value, ()):
        what = _secret_in(path, value)
        if what:
            hint = f"keep it out of the file: {_where_to_put_it(path)}"
            problems.append(document.problem(path, f"this looks like {what}", hint=hint))
    return problems


def _secret_in(path: KeyPath, value: str) -> str | None:
    for what, clue, pattern in _TOKENS:
        if clue in value and re.search(pattern, value):
            return what
    key = str(path[-1]).lower().replace("-", "_") if path else ""
    if value and "{{" not in value and any(f"_{key}".endswith(f"_{word}") for word in _SECRET_KEYS):
        return f"a secret, by its key {path[-1]!r}"
    return None


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

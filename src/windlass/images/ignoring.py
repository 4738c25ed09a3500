"""What `.dockerignore` leaves of a folder, as Docker's own matcher (moby/patternmatcher) has it.

A pattern is of a whole path below the folder, `**` stands for any folders, what is below a path that matches matches
too, and the last pattern that matches decides; one with `!` keeps.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

__all__ = ["NEVER_SENT", "Pattern", "files_of", "patterns_of"]

NEVER_SENT = (
    *(
        "**/.git",
        "**/.hg",
        "**/.svn",
        "**/.windlass",
        "**/.*.windlass-npm-*",
        "**/windlass.lock",
        "**/docker-bake.json",
    ),
    *("**/.env", "**/.venv", "**/node_modules", "**/__pycache__", "**/*.pyc", "**/*.egg-info"),
    *("**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache", "**/.DS_Store"),
)
"""What a checkout does not have, what is installed or compiled anew in an image, and secrets. `!` of a `.dockerignore`
keeps it nevertheless.
"""


class Pattern(NamedTuple):
    """A line of a `.dockerignore`."""

    text: str
    keeps: bool
    form: re.Pattern[str]

    def matches(self, path: str) -> bool:
        return self.form.fullmatch(path) is not None

    def may_match_below(self, folder: str) -> bool:
        parts, above = self.text.split("/"), folder.split("/")
        if "**" in self.text:
            return True
        return len(parts) > len(above) and all(map(fnmatchcase, above, parts))


def patterns_of(lines: Iterable[str]) -> list[Pattern]:
    """The patterns of a `.dockerignore`, behind those of what is never sent."""
    return [_pattern(line) for line in (*NEVER_SENT, *map(str.strip, lines)) if line and line[0] != "#"]


def files_of(folder: Path, patterns: Sequence[Pattern]) -> Iterator[str]:
    """The files and links below a folder that the patterns leave, in order. Links are not followed."""
    yield from _below(folder, "", dict.fromkeys(patterns, False), patterns)


def _below(folder: Path, path: str, above: dict[Pattern, bool], patterns: Sequence[Pattern]) -> Iterator[str]:
    with os.scandir(folder / path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        inner = f"{path}/{entry.name}" if path else entry.name
        matched = {pattern: above[pattern] or pattern.matches(inner) for pattern in patterns}
        is_left_out = next((not p.keeps for p in reversed(patterns) if matched[p]), False)
        if entry.is_dir(follow_symlinks=False):
            if not is_left_out or any(p.keeps and p.may_match_below(inner) for p in patterns):
                yield from _below(folder, inner, matched, patterns)
        elif not is_left_out and (entry.is_symlink() or entry.is_file()):
            yield inner


def _pattern(line: str) -> Pattern:
    keeps = line.startswith("!")
    text = posixpath.normpath(line.removeprefix("!").strip()).lstrip("/")
    return Pattern(text, keeps, re.compile(_expression(text)))


_TOKEN = re.compile(r"(\*\*/?)|(\*)|(\?)|(\\.)|(\[\^?[^]]+\])|(.)", re.DOTALL)


def _expression(text: str) -> str:
    """A pattern as a regular expression."""
    made = []
    for found in _TOKEN.finditer(text):
        folders, star, one, escaped, among, _ = found.groups()
        if folders is not None:
            made.append(".*" if found.end() == len(text) else "(.*/)?")
        elif star is not None:
            made.append("[^/]*")
        elif one is not None:
            made.append("[^/]")
        elif escaped is not None:
            made.append(re.escape(escaped[1]))
        else:
            made.append(among if among is not None else re.escape(found[0]))
    return "".join(made)
